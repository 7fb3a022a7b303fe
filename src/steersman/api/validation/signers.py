"""Names of signers: `example.com/anything`. Source: upstream's ValidateSignerName."""

from collections.abc import Mapping

from steersman.api.validation import fields
from steersman.meta import names
from steersman.meta.errors import FieldError

_NAMESPACE_MAX, _RESOURCE_MAX, _EXTRA_MAX = 63, 253, 1
# How long certificates of pods may last at most; of signers whose names begin with kubernetes.io/, less.
SECONDS_MIN, SECONDS_MAX, SECONDS_MAX_OF_OURS = 3_600, 91 * 86_400, 86_400


def validate_signer_name(name: str, path: str) -> list[FieldError]:
    if not name:
        return [fields.required(path)]
    host, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        text = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [fields.invalid(path, name, text)]
    errors = [fields.invalid(path, host, f"validating label {host!r}: {why}") for why in names.subdomain_errors(host)]
    if not errors and "." not in host:
        errors.append(fields.invalid(path, host, "should be a domain with at least two segments separated by dots"))
    limit = _NAMESPACE_MAX + _RESOURCE_MAX + _EXTRA_MAX
    if len(rest) > limit:
        errors.append(fields.too_long(path, limit))
    for part in rest.split("."):
        errors += [fields.invalid(path, part, f"validating label {part!r}: {why}") for why in names.label_errors(part)]
    return errors


def check_expiration(seconds: int | None, signer: str, path: str) -> list[FieldError]:
    """maxExpirationSeconds, where it is given."""
    limit = SECONDS_MAX_OF_OURS if signer.startswith("kubernetes.io/") else SECONDS_MAX
    if seconds is None or SECONDS_MIN <= seconds <= limit:
        return []
    return [fields.invalid(path, seconds, f"must be in the range [{SECONDS_MIN}, {limit}]")]


def check_user_annotations(found: Mapping[str, str] | None, path: str) -> list[FieldError]:
    errors = []
    for key in found or {}:
        errors += fields.each_invalid(path, key, names.qualified_name_errors(key))
        if "/" not in key:
            errors.append(fields.invalid(path, key, 'must be a domain-prefixed key (such as "acme.io/foo")'))
    return errors
