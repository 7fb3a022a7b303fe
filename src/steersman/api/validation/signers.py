"""Names of signers: `example.com/anything`. Source: upstream's ValidateSignerName."""

from steersman.api.validation import fields
from steersman.meta import names
from steersman.meta.errors import FieldError

_NAMESPACE_MAX, _RESOURCE_MAX, _EXTRA_MAX = 63, 253, 1


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
