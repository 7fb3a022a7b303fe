"""PersistentVolumes: what each needs, and that its source never changes."""

from steersman.api import volumes
from steersman.api.validation import csi, fields, metadata, mounts, scheduling
from steersman.meta import names, quantities
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
_RECLAIM_POLICIES = ("Delete", "Recycle", "Retain")

# Fields without which a source means nothing.
_NEEDED: dict[str, tuple[str, ...]] = {
    "hostPath": ("path",),
    "local": ("path",),
    "nfs": ("server", "path"),
    "csi": ("volumeHandle",),
    "iscsi": ("targetPortal", "iqn"),
    "rbd": ("monitors", "image"),
    "cephfs": ("monitors",),
    "cinder": ("volumeID",),
    "flexVolume": ("driver",),
    "azureFile": ("secretName", "shareName"),
    "azureDisk": ("diskName", "diskURI"),
    "awsElasticBlockStore": ("volumeID",),
    "gcePersistentDisk": ("pdName",),
    "glusterfs": ("endpoints", "path"),
    "quobyte": ("registry", "volume"),
    "vsphereVolume": ("volumePath",),
    "photonPersistentDisk": ("pdID",),
    "portworxVolume": ("volumeID",),
    "scaleIO": ("gateway", "system", "volumeName"),
    "storageos": ("volumeName",),
}
_SECRETS = ("controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef")


def validate(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old, namespaced=False)
    errors += _spec(spec, "spec")
    return errors if old is None else errors + _update(spec, old.get("spec") or {})


def validate_inline(spec: Object, path: str) -> list[FieldError]:
    """The volume inside a VolumeAttachment: one of CSI, and nothing that only an object of its own can have."""
    text = "in the context of inline volumes"
    errors = [
        fields.forbidden(f"{path}.{field}", f"may not be specified {text}")
        for field in ("claimRef", "capacity", "nodeAffinity", "storageClassName")
        if spec.get(field)
    ]
    if not spec.get("csi"):
        errors.append(fields.required(f"{path}.csi", f"has to be specified {text}"))
    return errors + check_access_modes(spec.get("accessModes") or (), f"{path}.accessModes") + _sources(spec, path)


def check_access_modes(modes: list[str] | tuple[()], path: str, *, detail: str = "") -> list[FieldError]:
    errors = [] if modes else [fields.required(path, detail)]
    errors += [fields.not_supported(path, mode, ACCESS_MODES) for mode in modes if mode not in ACCESS_MODES]
    if "ReadWriteOncePod" in modes and any(mode in ACCESS_MODES and mode != "ReadWriteOncePod" for mode in modes):
        errors.append(fields.forbidden(path, "may not use ReadWriteOncePod with other access modes"))
    return errors


def _spec(spec: Object, path: str) -> list[FieldError]:
    errors = check_access_modes(spec.get("accessModes") or (), f"{path}.accessModes")
    errors += _capacity(spec.get("capacity") or {}, f"{path}.capacity")
    policy = spec.get("persistentVolumeReclaimPolicy")
    errors += fields.check_one_of(f"{path}.persistentVolumeReclaimPolicy", policy, _RECLAIM_POLICIES, needed=False)
    if spec.get("nodeAffinity"):
        errors += _node_affinity(spec["nodeAffinity"], f"{path}.nodeAffinity")
    errors += _sources(spec, path)
    if spec.get("local") and not (spec.get("nodeAffinity") or {}).get("required"):
        errors.append(fields.required(f"{path}.nodeAffinity", "Local volume requires node affinity"))
    host_path = (spec.get("hostPath") or {}).get("path", "")
    if policy == "Recycle" and host_path and not host_path.strip("/"):
        text = "may not be 'recycle' for a hostPath mount of '/'"
        errors.append(fields.forbidden(f"{path}.persistentVolumeReclaimPolicy", text))
    errors += fields.check_optional_name(
        f"{path}.storageClassName", spec.get("storageClassName"), names.subdomain_errors
    )
    errors += fields.check_one_of(f"{path}.volumeMode", spec.get("volumeMode"), VOLUME_MODES, needed=False)
    return errors + _attributes_class(spec, path)


def _capacity(capacity: Object, path: str) -> list[FieldError]:
    errors = [] if capacity else [fields.required(path)]
    if set(capacity) != {"storage"}:
        errors.append(fields.not_supported(path, capacity, ("storage",)))
    for name, amount in capacity.items():
        if quantities.parse(amount).nanos <= 0:
            errors.append(fields.invalid(f"{path}[{name}]", amount, "must be greater than zero"))
    return errors


def _node_affinity(affinity: Object, path: str) -> list[FieldError]:
    if not affinity.get("required"):
        return [fields.required(f"{path}.required", "must specify required node constraints")]
    return scheduling.validate_node_selector(affinity["required"], f"{path}.required")


def _sources(spec: Object, path: str) -> list[FieldError]:
    given = [field for field in spec if field in _NEEDED or field in ("fc", "flocker")]
    if not given:
        return [fields.required(path, "must specify a volume type")]
    errors = [fields.forbidden(f"{path}.{one}", "may not specify more than 1 volume type") for one in given[1:]]
    kind, here, source = given[0], f"{path}.{given[0]}", spec[given[0]] or {}
    if kind == "csi":
        errors += csi.check_driver_name(f"{here}.driver", source.get("driver", ""))
        errors += _secrets(source, here)
    errors += [fields.required(f"{here}.{field}") for field in _NEEDED.get(kind, ()) if not source.get(field)]
    if kind in ("hostPath", "local"):
        errors += mounts.check_no_way_up(f"{here}.path", source.get("path", ""))
    if kind == "nfs" and source.get("path") and not source["path"].startswith("/"):
        errors.append(fields.invalid(f"{here}.path", source["path"], "must be an absolute path"))
    return errors


def _secrets(source: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in _SECRETS:
        reference = source.get(field)
        if reference is not None:
            here = f"{path}.{field}"
            errors += fields.check_name(f"{here}.name", reference.get("name"), names.subdomain_errors)
            errors += fields.check_name(f"{here}.namespace", reference.get("namespace"), names.label_errors)
    return errors


def _attributes_class(spec: Object, path: str) -> list[FieldError]:
    name = spec.get("volumeAttributesClassName")
    if name is None:
        return []
    here = f"{path}.volumeAttributesClassName"
    errors = fields.check_name(here, name, names.subdomain_errors, detail="an empty string is disallowed")
    if not spec.get("csi"):
        text = "has to be specified when using volumeAttributesClassName"
        errors.append(fields.required(f"{path}.csi", text))
    return errors


def _update(new: Object, old: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    if _source(new, old) != _source(old, old):
        text = "spec.persistentvolumesource is immutable after creation"
        errors.append(fields.forbidden("spec.persistentvolumesource", text))
    errors += fields.check_immutable("volumeMode", new.get("volumeMode"), old.get("volumeMode"))
    if old.get("nodeAffinity"):
        errors += fields.check_immutable("nodeAffinity", new.get("nodeAffinity"), old["nodeAffinity"])
    if old.get("volumeAttributesClassName") is not None and new.get("volumeAttributesClassName") is None:
        text = "update from non-nil value to nil is forbidden"
        errors.append(fields.forbidden("spec.volumeAttributesClassName", text))
    return errors


def _source(spec: Object, old: Object) -> Object:
    """The volume itself; the secret for expansion may be added later."""
    kind = volumes.source_of({"spec": spec})
    found = dict(spec.get(kind) or {})
    if kind == "csi" and "controllerExpandSecretRef" not in (old.get("csi") or {}):
        found.pop("controllerExpandSecretRef", None)
    return {kind: found}
