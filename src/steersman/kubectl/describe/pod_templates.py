"""Pod templates, and the parts of a pod's specification that pods and templates show alike."""

from collections.abc import Sequence

from steersman.kubectl.describe import containers, volumes
from steersman.kubectl.describe.writing import (
    Description,
    annotations,
    labels,
    listed,
    metadata,
    selector_text,
    spec,
)
from steersman.meta.objects import Object


def write(d: Description, template: Object | None) -> None:
    d.write(0, "Pod Template:\n")
    if template is None:
        d.write(1, "<unset>")
        return
    labels(d, "  Labels", metadata(template).get("labels"))
    if metadata(template).get("annotations"):
        annotations(d, "  Annotations", metadata(template)["annotations"])
    wanted = spec(template)
    if wanted.get("serviceAccountName"):
        d.row(1, "Service Account:", wanted["serviceAccountName"])
    if wanted.get("initContainers"):
        containers.write(d, "Init Containers", wanted["initContainers"], indent="  ")
    containers.write(d, "Containers", wanted.get("containers") or [], indent="  ")
    volumes.write(d, wanted.get("volumes"), indent="  ")
    spreading(d, wanted.get("topologySpreadConstraints"), indent="  ")
    if wanted.get("priorityClassName"):
        d.row(1, "Priority Class Name:", wanted["priorityClassName"])
    labels(d, "  Node-Selectors", wanted.get("nodeSelector"))
    tolerations(d, "  Tolerations", wanted.get("tolerations"))


def tolerations(d: Description, title: str, found: Sequence[Object] | None) -> None:
    listed(d, title, map(_toleration, sorted(found or (), key=lambda one: str(one.get("key", "")))))


def _toleration(one: Object) -> str:
    key, value, effect = one.get("key", ""), one.get("value", ""), one.get("effect", "")
    text = key + (f"={value}" if value else "") + (f":{effect}" if effect else "")
    if one.get("operator") == "Exists" and not value:
        text += " op=Exists" if key or effect else "op=Exists"
    seconds = one.get("tolerationSeconds")
    return text if seconds is None else f"{text} for {seconds}s"


def spreading(d: Description, found: Sequence[Object] | None, *, indent: str = "") -> None:
    if not found:
        return
    d.write(0, f"{indent}Topology Spread Constraints:\t")
    for at, one in enumerate(sorted(found, key=lambda one: str(one.get("topologyKey", "")))):
        text = (
            f"{one.get('topologyKey', '')}:{one.get('whenUnsatisfiable', '')}"
            f" when max skew {one.get('maxSkew', 0)} is exceeded"
        )
        if one.get("labelSelector") is not None:
            text += f" for selector {selector_text(one['labelSelector'])}"
        d.write(0, f"{indent}\t{text}\n" if at else f"{text}\n")
