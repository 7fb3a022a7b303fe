"""PersistentVolumeClaims, and the templates of claims in StatefulSets and pods."""

from typing import Any

from steersman.api import volumes
from steersman.api.validation import fields, metadata, persistent_volumes
from steersman.meta import labels, names, quantities
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

_IMMUTABLE = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
_RESIZE_STATUSES = (
    "ControllerResizeInProgress", "ControllerResizeInfeasible",
    "NodeResizePending", "NodeResizeInProgress", "NodeResizeInfeasible",
)  # fmt: skip


def validate(new: Object, old: Object | None) -> list[FieldError]:
    errors = metadata.validate(new, old)
    errors += validate_spec(new.get("spec") or {}, "spec")
    errors += _status(new.get("status") or {})
    return errors if old is None else errors + _update(new, old)


def validate_template(template: Object, path: str) -> list[FieldError]:
    """A pod's `ephemeral.volumeClaimTemplate`: of metadata only labels and annotations."""
    meta = template.get("metadata") or {}
    errors = labels.validate_annotations(meta.get("annotations") or {}, f"{path}.metadata.annotations")
    errors += labels.validate(meta.get("labels") or {}, f"{path}.metadata.labels")
    for field in sorted(set(meta) - {"annotations", "labels"}):
        errors.append(fields.forbidden(f"{path}.metadata.{field}", "cannot be set"))
    return errors + validate_spec(template.get("spec") or {}, f"{path}.spec")


def validate_spec(spec: Object, path: str) -> list[FieldError]:
    detail = "at least 1 access mode is required"
    errors = persistent_volumes.check_access_modes(spec.get("accessModes") or (), f"{path}.accessModes", detail=detail)
    errors += metadata.label_selector(spec.get("selector"), f"{path}.selector")
    errors += _size((spec.get("resources") or {}).get("requests") or {}, f"{path}.resources[storage]")
    for field in ("storageClassName", "volumeAttributesClassName"):
        errors += fields.check_optional_name(f"{path}.{field}", spec.get(field), names.subdomain_errors)
    modes = persistent_volumes.VOLUME_MODES
    errors += fields.check_one_of(f"{path}.volumeMode", spec.get("volumeMode"), modes, needed=False)
    return errors + _data_sources(spec, path)


def _size(requests: Object, path: str) -> list[FieldError]:
    if "storage" not in requests:
        return [fields.required(path)]
    nanos = quantities.parse(requests["storage"]).nanos
    if nanos <= 0:
        return [fields.invalid(path, requests["storage"], "must be greater than zero")]
    if nanos % quantities.NANOS:
        return [fields.invalid(path, requests["storage"], "must be an integer")]
    return []


def _data_sources(spec: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("dataSource", "dataSourceRef"):
        if spec.get(field) is not None:
            errors += _data_source(spec[field], f"{path}.{field}")
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and reference is not None:
        if reference.get("namespace"):
            text = "may not be specified when dataSourceRef.namespace is specified"
            errors.append(fields.invalid(path, f"{path}.dataSource", text))
        elif any(source.get(field) != reference.get(field) for field in ("apiGroup", "kind", "name")):
            errors.append(fields.invalid(path, f"{path}.dataSource", "must match dataSourceRef"))
    return errors


def _data_source(source: Object, path: str) -> list[FieldError]:
    errors = [fields.required(f"{path}.{field}") for field in ("name", "kind") if not source.get(field)]
    kind = source.get("kind", "")
    if not source.get("apiGroup") and kind != "PersistentVolumeClaim":
        text = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        errors.append(fields.invalid(path, kind, text))
    errors += fields.check_optional_name(f"{path}.apiGroup", source.get("apiGroup"), names.subdomain_errors)
    return errors + fields.check_optional_name(f"{path}.namespace", source.get("namespace"), names.label_errors)


def _status(status: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("capacity", "allocatedResources"):
        for name, amount in (status.get(field) or {}).items():
            if quantities.parse(amount).nanos < 0:
                text = "must be a valid resource quantity"
                errors.append(fields.invalid(f"status.{field}[{name}]", amount, text))
    for name, value in (status.get("allocatedResourceStatuses") or {}).items():
        if value not in _RESIZE_STATUSES:
            errors.append(fields.not_supported("status.allocatedResourceStatus", name, _RESIZE_STATUSES))
    return errors


def _update(new: Object, old: Object) -> list[FieldError]:
    """A claim gets a volume once, and a class once; bound, it may grow. All else stays, or quota could be cheated."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    errors: list[FieldError] = []
    beta, old_beta = (one["metadata"].get("annotations") or {} for one in (new, old))
    if beta.get(volumes.BETA_CLASS) != old_beta.get(volumes.BETA_CLASS) and not _moves_class(spec, before, old_beta):
        path = f"metadata.annotations[{volumes.BETA_CLASS}]"
        errors.append(fields.invalid(path, beta.get(volumes.BETA_CLASS, ""), fields.IMMUTABLE))
    if _fixed(new, spec, before, old_beta) != _fixed(new, before, before, old_beta):
        errors.append(fields.forbidden("spec", _IMMUTABLE))
    errors += _shrinking(spec, before, old.get("status") or {})
    errors += fields.check_immutable("volumeMode", spec.get("volumeMode"), before.get("volumeMode"))
    if before.get("volumeAttributesClassName") is not None and not spec.get("volumeAttributesClassName"):
        to = "nil" if spec.get("volumeAttributesClassName") is None else "an empty string"
        path = "spec.volumeAttributesClassName"
        if before["volumeAttributesClassName"] != spec.get("volumeAttributesClassName"):
            errors.append(fields.forbidden(path, f"update from non-nil value to {to} is forbidden"))
    return errors


def _shrinking(spec: Object, before: Object, status: Object) -> list[FieldError]:
    """A wish that cannot be fulfilled may be taken back, but not to what the volume has already."""
    size, was = _storage(spec), _storage(before)
    capacity = (status.get("capacity") or {}).get("storage", 0)
    if quantities.compare(size, was) >= 0 or quantities.compare(size, capacity) > 0:
        return []
    return [fields.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")]


def _storage(spec: Object) -> Any:
    return ((spec.get("resources") or {}).get("requests") or {}).get("storage", 0)


def _fixed(claim: Object, spec: Object, before: Object, old_annotations: Object) -> Object:
    """`spec` without what this update may change."""
    kept = dict(spec)
    if not before.get("volumeName"):
        kept.pop("volumeName", None)
    if before.get("storageClassName") is None:
        beta = old_annotations.get(volumes.BETA_CLASS)
        if beta is None or kept.get("storageClassName") in (None, beta):
            kept.pop("storageClassName", None)
    if (claim.get("status") or {}).get("phase") == "Bound":
        kept.pop("volumeAttributesClassName", None)
        resources = dict(kept.get("resources") or {})
        requests = {name: size for name, size in (resources.get("requests") or {}).items() if name != "storage"}
        kept["resources"] = {**{k: v for k, v in resources.items() if k != "requests"}, "requests": requests}
    return kept


def _moves_class(spec: Object, before: Object, old_annotations: Object) -> bool:
    """From the annotation to the field, without changing it."""
    beta = old_annotations.get(volumes.BETA_CLASS)
    return beta is not None and before.get("storageClassName") is None and spec.get("storageClassName") == beta
