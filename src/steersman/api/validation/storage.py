"""StorageClasses, VolumeAttributesClasses and VolumeAttachments."""

from steersman.api.validation import csi, fields, metadata, persistent_volumes
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

_PARAMETERS_MAX = 512
_PARAMETERS_BYTES_MAX = 256 * 1024
_ATTACHMENT_BYTES_MAX = 256 * 1024
_ERROR_BYTES_MAX = 1024
_BINDING_MODES = ("Immediate", "WaitForFirstConsumer")
_RECLAIM_POLICIES = ("Delete", "Retain")
_ONE_SOURCE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"


def validate_class(new: Object, old: Object | None) -> list[FieldError]:
    errors = metadata.validate(new, old, namespaced=False)
    if old is None:
        return errors + _class(new)
    for field in ("parameters", "provisioner", "reclaimPolicy"):
        if (new.get(field) or None) != (old.get(field) or None):
            errors.append(fields.forbidden(field, f"updates to {field} are forbidden."))
    return errors + fields.check_immutable(
        "volumeBindingMode", new.get("volumeBindingMode"), old.get("volumeBindingMode")
    )


def validate_attributes_class(new: Object, old: Object | None) -> list[FieldError]:
    errors = metadata.validate(new, old, namespaced=False)
    if old is not None:
        for field in ("driverName", "parameters"):
            if new.get(field) != old.get(field):
                errors.append(fields.forbidden(field, f"updates to {field} are forbidden."))
    errors += _provisioner(new.get("driverName", ""), "driverName")
    return errors + _parameters(new.get("parameters") or {}, needed=True)


def validate_attachment(new: Object, old: Object | None) -> list[FieldError]:
    spec, status = new.get("spec") or {}, new.get("status") or {}
    errors = metadata.validate(new, old, namespaced=False)
    if not spec.get("attacher"):
        errors.append(fields.required("spec.attacher"))
    errors += _attached(spec.get("source") or {}, "spec.source")
    node = spec.get("nodeName", "")
    errors += fields.each_invalid("spec.nodeName", node, names.subdomain_errors(node))
    size = sum(len(key) + len(value) for key, value in (status.get("attachmentMetadata") or {}).items())
    if size > _ATTACHMENT_BYTES_MAX:
        errors.append(fields.too_long("status.attachmentMetadata", _ATTACHMENT_BYTES_MAX))
    for field in ("attachError", "detachError"):
        if len((status.get(field) or {}).get("message", "")) > _ERROR_BYTES_MAX:
            errors.append(fields.too_long(f"status.{field}.message", _ATTACHMENT_BYTES_MAX))
    if old is not None:
        return errors + fields.check_immutable("spec", spec, old.get("spec") or {})
    return errors + csi.check_driver_name("spec.attacher", spec.get("attacher", ""))


def _class(new: Object) -> list[FieldError]:
    errors = _provisioner(new.get("provisioner", ""), "provisioner")
    errors += _parameters(new.get("parameters") or {}, needed=False)
    errors += fields.check_one_of("reclaimPolicy", new.get("reclaimPolicy"), _RECLAIM_POLICIES, needed=False)
    errors += fields.check_one_of("volumeBindingMode", new.get("volumeBindingMode"), _BINDING_MODES)
    return errors + _topologies(new.get("allowedTopologies") or ())


def _provisioner(name: str, path: str) -> list[FieldError]:
    if not name:
        return [fields.required(path)]
    return fields.each_invalid(path, name.lower(), names.qualified_name_errors(name.lower()))


def _parameters(parameters: dict[str, str], *, needed: bool) -> list[FieldError]:
    if len(parameters) > _PARAMETERS_MAX:
        return [fields.too_long("parameters", _PARAMETERS_MAX)]
    errors = [fields.invalid("parameters", key, "field can not be empty.") for key in parameters if not key]
    if sum(len(key) + len(value) for key, value in parameters.items()) > _PARAMETERS_BYTES_MAX:
        errors.append(fields.too_long("parameters", _PARAMETERS_BYTES_MAX))
    if needed and not parameters:
        errors.append(fields.required("parameters", "must contain at least one key/value pair"))
    return errors


def _topologies(terms: list[Object] | tuple[()]) -> list[FieldError]:
    """Each term: labels with the values a node may have, each label once; no two terms alike."""
    errors: list[FieldError] = []
    seen: list[dict[str, frozenset[str]]] = []
    for index, term in enumerate(terms):
        path = f"allowedTopologies[{index}]"
        found: dict[str, frozenset[str]] = {}
        for at, expression in enumerate(term.get("matchLabelExpressions") or ()):
            here = f"{path}.matchLabelExpressions[{at}]"
            key, values = expression.get("key", ""), expression.get("values") or ()
            if not values:
                errors.append(fields.required(f"{here}.values"))
            for position, value in enumerate(values):
                if value in values[:position]:
                    errors.append(fields.duplicate(f"{here}.values[{position}]", value))
            errors += fields.each_invalid(f"{here}.key", key, names.qualified_name_errors(key))
            if key in found:
                errors.append(fields.duplicate(f"{here}.key", key))
            found[key] = frozenset(values)
        if found in seen:
            errors.append(fields.duplicate(f"{path}.matchLabelExpressions", ""))
        seen.append(found)
    return errors


def _attached(source: Object, path: str) -> list[FieldError]:
    name, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    if name is None and inline is None:
        return [fields.required(path, _ONE_SOURCE)]
    if name is not None and inline is not None:
        return [fields.forbidden(path, _ONE_SOURCE)]
    if inline is not None:
        return persistent_volumes.validate_inline(inline, f"{path}.inlineVolumeSpec")
    if not name:
        return [fields.required(f"{path}.persistentVolumeName", "must specify non empty persistentVolumeName")]
    return fields.each_invalid(f"{path}.persistentVolumeName", name, names.subdomain_errors(name))
