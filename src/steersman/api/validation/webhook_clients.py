"""How a webhook is reached: a URL, or a Service with path and port. Shared by admission and conversion.

Source: upstream's apiserver/pkg/util/webhook.
"""

import urllib.parse

from steersman.api.validation import fields
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

_FORM = "; desired format: https://host[/path]"


def validate(config: Object, path: str) -> list[FieldError]:
    """Exactly one of the two, and it makes sense."""
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        return [fields.required(path, "exactly one of url or service is required")]
    return _url(url, f"{path}.url") if url is not None else _service(service or {}, f"{path}.service")


def _url(text: str, path: str) -> list[FieldError]:
    try:
        url = urllib.parse.urlsplit(text)
        _ = url.port
    except ValueError as wrong:
        return [fields.required(path, f'url must be a valid URL: parse "{text}": {wrong}{_FORM}')]
    errors = []
    if url.scheme != "https":
        errors.append(fields.invalid(path, url.scheme, f"'https' is the only allowed URL scheme{_FORM}"))
    if not url.netloc:
        errors.append(fields.invalid(path, "", f"host must be specified{_FORM}"))
    user, found, _ = url.netloc.rpartition("@")
    if found:
        errors.append(fields.invalid(path, user, "user information is not permitted in the URL"))
    if url.fragment:
        errors.append(fields.invalid(path, url.fragment, "fragments are not permitted in the URL"))
    if url.query:
        errors.append(fields.invalid(path, url.query, "query parameters are not permitted in the URL"))
    return errors


def _service(service: Object, path: str) -> list[FieldError]:
    errors = []
    if not service.get("name"):
        errors.append(fields.required(f"{path}.name", "service name is required"))
    if not service.get("namespace"):
        errors.append(fields.required(f"{path}.namespace", "service namespace is required"))
    port = service.get("port", 443)
    if wrong := names.port_number_errors(port):
        errors.append(fields.invalid(f"{path}.port", port, f"port is not valid: {', '.join(wrong)}"))
    return errors + _path(service.get("path"), f"{path}.path")


def _path(text: str | None, path: str) -> list[FieldError]:
    if not text or text == "/":
        return []
    if text == "//":
        return [fields.invalid(path, text, "segment[0] may not be empty")]
    errors = []
    if not text.startswith("/"):
        errors.append(fields.invalid(path, text, "must start with a '/'"))
    for index, step in enumerate(text[1:].removesuffix("/").split("/")):
        if not step:
            errors.append(fields.invalid(path, text, f"segment[{index}] may not be empty"))
            continue
        for why in names.subdomain_errors(step):
            errors.append(fields.invalid(path, text, f"segment[{index}]: {why}"))
    return errors
