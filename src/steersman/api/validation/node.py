"""RuntimeClasses. Source: upstream's pkg/apis/node/validation."""

from steersman.api.validation import fields, metadata, resources, scheduling
from steersman.meta import labels, names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object


def validate_runtime_class(new: Object, old: Object | None) -> list[FieldError]:
    handler = new.get("handler", "")
    errors = metadata.validate(new, old, namespaced=False)
    if old is not None:
        return [*errors, *fields.check_immutable("handler", handler, old.get("handler", ""))]
    errors += fields.each_invalid("handler", handler, names.label_errors(handler))
    overhead, rules = new.get("overhead"), new.get("scheduling")
    if overhead is not None:
        errors += resources.validate({"limits": overhead.get("podFixed") or {}}, "overhead")
    if rules is not None:
        errors += _scheduling(rules)
    return errors


def _scheduling(rules: Object) -> list[FieldError]:
    tolerations = rules.get("tolerations") or []
    errors = labels.validate(rules.get("nodeSelector") or {}, "scheduling.nodeSelector")
    errors += scheduling.validate_tolerations(tolerations, "scheduling.tolerations")
    for index, one in enumerate(tolerations):
        if one in tolerations[:index]:
            errors.append(fields.duplicate(f"scheduling.tolerations[{index}]", one))
    return errors
