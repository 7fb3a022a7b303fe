"""Storage classes, volume attributes classes and what CSI drivers say of nodes."""

from steersman.kubectl.describe import events
from steersman.kubectl.describe.writing import (
    NONE,
    UNSET,
    Description,
    created,
    go_list,
    head,
    listed,
    metadata,
    pairs_text,
    spec,
    yes_no,
)
from steersman.meta.objects import Object

_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


def storage_class(d: Description, obj: Object) -> None:
    notes = metadata(obj).get("annotations") or {}
    d.row(0, "Name:", metadata(obj).get("name", ""))
    d.row(0, "IsDefaultClass:", "Yes" if any(notes.get(key) == "true" for key in _DEFAULT) else "No")
    d.row(0, "Annotations:", pairs_text(notes))
    d.row(0, "Provisioner:", obj.get("provisioner", ""))
    d.row(0, "Parameters:", pairs_text(obj.get("parameters")))
    expands = obj.get("allowVolumeExpansion")
    d.row(0, "AllowVolumeExpansion:", UNSET if expands is None else yes_no(expands))
    if obj.get("mountOptions"):
        d.write(0, "MountOptions:\n")
        for option in obj["mountOptions"]:
            d.write(1, f"{option}\n")
    else:
        d.row(0, "MountOptions:", NONE)
    if obj.get("reclaimPolicy") is not None:
        d.row(0, "ReclaimPolicy:", obj["reclaimPolicy"])
    if obj.get("volumeBindingMode") is not None:
        d.row(0, "VolumeBindingMode:", obj["volumeBindingMode"])
    if obj.get("allowedTopologies") is not None:
        d.row(0, "AllowedTopologies:", "" if obj["allowedTopologies"] else NONE)
        for at, term in enumerate(obj["allowedTopologies"]):
            listed(d, f"Term {at}", map(_requirement, term.get("matchLabelExpressions") or ()), level=1)
    events.write(d)


def _requirement(one: Object) -> str:
    text = f"{one.get('key', '')} in"
    return f"{text} [{', '.join(one['values'])}]" if one.get("values") else text


def volume_attributes_class(d: Description, obj: Object) -> None:
    d.row(0, "Name:", metadata(obj).get("name", ""))
    d.row(0, "Annotations:", pairs_text(metadata(obj).get("annotations")))
    d.row(0, "DriverName:", obj.get("driverName", ""))
    d.row(0, "Parameters:", pairs_text(obj.get("parameters")))
    events.write(d)


def csi_node(d: Description, obj: Object) -> None:
    head(d, obj, namespace=False)
    created(d, obj)
    d.write(0, "Spec:\n")
    if spec(obj).get("drivers") is not None:
        d.write(1, "Drivers:\n")
        for driver in spec(obj)["drivers"]:
            d.write(2, f"{driver.get('name', '')}:\n")
            d.row(3, "Node ID:", driver.get("nodeID", ""))
            count = (driver.get("allocatable") or {}).get("count")
            if count is not None:
                d.write(3, "Allocatables:\n")
                d.row(4, "Count:", count)
            if driver.get("topologyKeys") is not None:
                d.row(3, "Topology Keys:", go_list(driver["topologyKeys"]))
    events.write(d)
