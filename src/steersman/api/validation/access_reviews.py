"""SubjectAccessReview and its kin: one question, about a resource or a path, of somebody.

Source: upstream's apis/authorization/validation.
"""

from steersman.api.validation import fields
from steersman.api.validation.fields import Errors
from steersman.meta import names
from steersman.meta.objects import Object

_RESOURCE, _PATH = "resourceAttributes", "nonResourceAttributes"
_TOGETHER = "may not specified at the same time as requirements"  # in upstream's words


def validate_self(review: Object) -> Errors:
    return [*_question(review.get("spec") or {}), *_empty_metadata(review, "must be empty")]


def validate(review: Object) -> Errors:
    spec = review.get("spec") or {}
    return [*_question(spec), *_subject(spec), *_empty_metadata(review, "must be empty")]


def validate_local(review: Object) -> Errors:
    """`review` carries the namespace of its request."""
    spec, meta = review.get("spec") or {}, review.get("metadata") or {}
    errors = [*_question(spec), *_subject(spec)]
    errors += _empty_metadata(review, "must be empty except for namespace", "namespace")
    asked = spec.get(_RESOURCE)
    if asked is not None and asked.get("namespace", "") != meta.get("namespace", ""):
        at = f"spec.{_RESOURCE}.namespace"
        errors.append(fields.invalid(at, asked.get("namespace", ""), "must match metadata.namespace"))
    if spec.get(_PATH) is not None:
        errors.append(fields.invalid(f"spec.{_PATH}", spec[_PATH], "disallowed on this kind of request"))
    return errors


def _question(spec: Object) -> Errors:
    resource, path = spec.get(_RESOURCE), spec.get(_PATH)
    if resource is not None and path is not None:
        detail = "cannot be specified in combination with resourceAttributes"
        return [fields.invalid(f"spec.{_PATH}", path, detail)]
    if resource is None and path is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        return [fields.invalid(f"spec.{_RESOURCE}", "null", detail)]
    errors: Errors = []
    if resource is not None:
        errors += _selector(resource.get("fieldSelector"), f"spec.{_RESOURCE}.fieldSelector", of_labels=False)
        errors += _selector(resource.get("labelSelector"), f"spec.{_RESOURCE}.labelSelector", of_labels=True)
    return errors


def _subject(spec: Object) -> Errors:
    if spec.get("user") or spec.get("groups"):
        return []
    return [fields.invalid("spec.user", "", "at least one of user or group must be specified")]


def _empty_metadata(review: Object, detail: str, *besides: str) -> Errors:
    meta = review.get("metadata") or {}
    if any(value for name, value in meta.items() if name not in ("managedFields", *besides)):
        return [fields.invalid("metadata", meta, detail)]
    return []


def _selector(selector: Object | None, path: str, *, of_labels: bool) -> Errors:
    if selector is None:
        return []
    raw, requirements = selector.get("rawSelector"), selector.get("requirements") or []
    errors: Errors = []
    if raw and requirements:
        errors.append(fields.invalid(f"{path}.rawSelector", raw, _TOGETHER))
    if not raw and not requirements:
        detail = f"when {path} is specified, requirements or rawSelector is required"
        errors.append(fields.required(f"{path}.requirements", detail))
    for index, requirement in enumerate(requirements):
        errors += _requirement(requirement, f"{path}.requirements[{index}]", of_labels=of_labels)
    return errors


def _requirement(requirement: Object, path: str, *, of_labels: bool) -> Errors:
    """Operators that nobody knows are let through: a newer client's question is answered without them."""
    operator, values = requirement.get("operator"), requirement.get("values")
    errors: Errors = []
    if not of_labels and not requirement.get("key"):
        errors.append(fields.required(f"{path}.key", "must be specified"))
    if operator in ("In", "NotIn") and not values:
        errors.append(fields.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    if operator in ("Exists", "DoesNotExist") and values:
        detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        errors.append(fields.forbidden(f"{path}.values", detail))
    if of_labels:
        key = requirement.get("key", "")
        errors += fields.each_invalid(f"{path}.key", key, names.qualified_name_errors(key))
        for index, value in enumerate(values or ()):
            errors += fields.each_invalid(f"{path}.values[{index}]", value, names.label_value_errors(value))
    return errors
