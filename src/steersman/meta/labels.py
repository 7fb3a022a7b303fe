"""Labels and annotations: their syntax and size, as field errors."""

from collections.abc import Mapping

from steersman.meta import names
from steersman.meta.errors import FieldError

ANNOTATIONS_MAX_BYTES = 256 * 1024  # upstream's TotalAnnotationSizeLimitB


def validate(labels: Mapping[str, str], path: str) -> list[FieldError]:
    """Keys are qualified names, values label values."""
    errors = []
    for key, value in labels.items():
        wrong_key, wrong_value = names.qualified_name_errors(key), names.label_value_errors(value)
        if wrong_key or wrong_value:
            errors += [_invalid(path, key, text) for text in wrong_key]
            errors += [_invalid(path, value, text) for text in wrong_value]
    return errors


def validate_annotations(annotations: Mapping[str, str], path: str) -> list[FieldError]:
    """Keys are qualified names (case ignored), all of it together at most 256 KiB."""
    errors = []
    size = 0
    for key, value in annotations.items():
        if wrong := names.qualified_name_errors(key.lower()):
            errors += [_invalid(path, key, text) for text in wrong]
        size += len(key) + len(value)
    if size > ANNOTATIONS_MAX_BYTES:
        message = f"Too long: may not be more than {ANNOTATIONS_MAX_BYTES} bytes"
        errors.append(FieldError(path, "FieldValueTooLong", message))
    return errors


def _invalid(path: str, value: str, text: str) -> FieldError:
    return FieldError(path, "FieldValueInvalid", f'Invalid value: "{value}": {text}')
