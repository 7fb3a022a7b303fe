"""metadata of every kind: names, labels, annotations, owner references, finalizers; label selectors in specs."""

from collections.abc import Callable

from steersman.api.validation import fields
from steersman.meta import labels, names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

STANDARD_FINALIZERS = frozenset(("kubernetes", "orphan", "foregroundDeletion"))

Validate = Callable[[Object, Object | None], list[FieldError]]


def validate(
    new: Object,
    old: Object | None,
    *,
    namespaced: bool = True,
    check: names.Check = names.subdomain_errors,
    qualified: bool = True,
) -> list[FieldError]:
    """`check` is the kind's rule for names; the API server itself keeps uid, creation time and the like. `qualified`:
    finalizers must be, as upstream asks of the kinds of its own server, not of those of its extensions."""
    metadata = new.get("metadata") or {}
    errors = [*_names(metadata, check), *_namespace(metadata, namespaced)]
    if metadata.get("labels"):
        errors += labels.validate(metadata["labels"], "metadata.labels")
    if metadata.get("annotations"):
        errors += labels.validate_annotations(metadata["annotations"], "metadata.annotations")
    if metadata.get("ownerReferences"):
        errors += _owners(metadata["ownerReferences"])
    if metadata.get("finalizers"):
        errors += finalizers(metadata["finalizers"], "metadata.finalizers", qualified=qualified)
    if old is not None:
        errors += _update(metadata, old["metadata"])
    return errors


def only(*, namespaced: bool = True, check: names.Check = names.subdomain_errors) -> Validate:
    """The validation of a kind that has nothing else to check."""

    def validate_kind(new: Object, old: Object | None) -> list[FieldError]:
        return validate(new, old, namespaced=namespaced, check=check)

    return validate_kind


def label_selector(selector: Object | None, path: str) -> list[FieldError]:
    if selector is None:
        return []
    errors = labels.validate(selector.get("matchLabels") or {}, f"{path}.matchLabels")
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        errors += _expression(expression, f"{path}.matchExpressions[{index}]")
    return errors


def finalizers(listed: list[str], path: str, *, qualified: bool = True) -> list[FieldError]:
    errors = []
    for name in listed:
        errors += fields.each_invalid(path, name, names.qualified_name_errors(name))
        if qualified and "/" not in name and name not in STANDARD_FINALIZERS:
            text = "name is neither a standard finalizer name nor is it fully qualified"
            errors.append(fields.invalid(path, name, text))
    return errors


def _names(metadata: Object, check: names.Check) -> list[FieldError]:
    errors = []
    prefix, name = metadata.get("generateName"), metadata.get("name")
    if prefix:
        errors += fields.each_invalid("metadata.generateName", prefix, names.for_prefix(check)(prefix))
    if not name:
        return [*errors, fields.required("metadata.name", "name or generateName is required")]
    return [*errors, *fields.each_invalid("metadata.name", name, check(name))]


def _namespace(metadata: Object, namespaced: bool) -> list[FieldError]:
    namespace = metadata.get("namespace")
    if namespaced:
        return fields.check_name("metadata.namespace", namespace, names.label_errors)
    return [fields.forbidden("metadata.namespace", "not allowed on this type")] if namespace else []


def _owners(references: list[Object]) -> list[FieldError]:
    path = "metadata.ownerReferences"
    errors = []
    controllers = []
    for reference in references:
        if not reference.get("apiVersion"):
            errors.append(fields.invalid(f"{path}.apiVersion", "", "version must not be empty"))
        for field in ("kind", "name", "uid"):
            if not reference.get(field):
                errors.append(fields.invalid(f"{path}.{field}", "", "must not be empty"))
        if reference.get("apiVersion") == "v1" and reference.get("kind") == "Event":
            errors.append(fields.invalid(path, reference, "/v1, Kind=Event is disallowed from being an owner"))
        if reference.get("controller"):
            controllers.append(reference.get("name", ""))
    if len(controllers) > 1:
        text = 'Only one reference can have Controller set to true. Found "true" in references for '
        errors.append(fields.invalid(path, references, f"{text}{controllers[0]} and {controllers[1]}"))
    return errors


def _update(new: Object, old: Object) -> list[FieldError]:
    errors = []
    for field in ("name", "namespace", "uid", "creationTimestamp"):
        if new.get(field) != old.get(field):
            errors.append(fields.invalid(f"metadata.{field}", new.get(field), fields.IMMUTABLE))
    if old.get("deletionTimestamp"):
        added = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if added:
            text = "no new finalizers can be added if the object is being deleted, found new finalizers "
            errors.append(fields.forbidden("metadata.finalizers", text + fields.shown(added)))
    return errors


def _expression(expression: Object, path: str) -> list[FieldError]:
    operator, values = expression.get("operator", ""), expression.get("values") or []
    errors = []
    match operator:
        case "In" | "NotIn":
            if not values:
                text = "must be specified when `operator` is 'In' or 'NotIn'"
                errors.append(fields.required(f"{path}.values", text))
        case "Exists" | "DoesNotExist":
            if values:
                text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                errors.append(fields.forbidden(f"{path}.values", text))
        case _:
            errors.append(fields.invalid(f"{path}.operator", operator, "not a valid selector operator"))
    key = expression.get("key", "")
    errors += fields.each_invalid(f"{path}.key", key, names.qualified_name_errors(key))
    for index, value in enumerate(values):
        errors += fields.each_invalid(f"{path}.values[{index}]", value, names.label_value_errors(value))
    return errors
