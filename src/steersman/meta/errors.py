"""Refusals of the API as values: every error a client can see is a `Status` object with Kubernetes' own reason and code.

Source of codes, reasons and messages: the API conventions ("Response Status Kind") and apimachinery's api/errors.
"""

import dataclasses
from typing import Any

from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class FieldError:
    """One invalid field, as a cause in a 422 Status.

    `reason` is Kubernetes' cause type: FieldValueRequired, FieldValueInvalid, FieldValueForbidden,
    FieldValueNotSupported, FieldValueDuplicate, FieldValueNotFound, FieldValueTooLong, FieldValueTypeInvalid.
    `message` is the whole text that follows the field in upstream's messages, e.g. `Invalid value: -1: must be …`.
    """

    field: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class StatusError(Exception):
    """A request was refused; `status` is the Status object to answer with."""

    def __init__(self, status: Object) -> None:
        super().__init__(status.get("message", ""))
        self.status = status

    @property
    def code(self) -> int:
        return int(self.status.get("code", 500))

    @property
    def reason(self) -> str:
        return str(self.status.get("reason", ""))

    @property
    def retry_after_seconds(self) -> int | None:
        seconds = self.status.get("details", {}).get("retryAfterSeconds")
        return None if seconds is None else int(seconds)


def status(code: int, reason: str, message: str, **details: Any) -> Object:
    """A Failure Status; `details` (name, group, kind, uid, causes, retryAfterSeconds) where there are any."""
    body: Object = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
    }
    if details:
        body["details"] = details
    body["code"] = code
    return body


def _qualified(plural: str, group: str) -> str:
    return f"{plural}.{group}" if group else plural


def not_found(plural: str, name: str, group: str = "") -> StatusError:
    text = f'{_qualified(plural, group)} "{name}" not found'
    return StatusError(status(404, "NotFound", text, **_details(plural, name, group)))


def already_exists(plural: str, name: str, group: str = "") -> StatusError:
    text = f'{_qualified(plural, group)} "{name}" already exists'
    return StatusError(status(409, "AlreadyExists", text, **_details(plural, name, group)))


def conflict(plural: str, name: str, why: str, group: str = "") -> StatusError:
    text = f'Operation cannot be fulfilled on {_qualified(plural, group)} "{name}": {why}'
    return StatusError(status(409, "Conflict", text, **_details(plural, name, group)))


def modified(plural: str, name: str, group: str = "") -> StatusError:
    """The conflict of optimistic concurrency: the resourceVersion sent is not the current one."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(plural, name, why, group)


def invalid(kind: str, name: str, causes: list[FieldError], group: str = "") -> StatusError:
    """422 with one cause per field."""
    texts = [str(cause) for cause in causes]
    joined = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details = _details(kind, name, group)
    details["causes"] = [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]
    return StatusError(status(422, "Invalid", f'{_qualified(kind, group)} "{name}" is invalid: {joined}', **details))


def bad_request(message: str) -> StatusError:
    return StatusError(status(400, "BadRequest", message))


def unauthorized() -> StatusError:
    return StatusError(status(401, "Unauthorized", "Unauthorized"))


def forbidden(plural: str, name: str, why: str, group: str = "") -> StatusError:
    what = f'{_qualified(plural, group)} "{name}"' if name else _qualified(plural, group)
    return StatusError(status(403, "Forbidden", f"{what} is forbidden: {why}", **_details(plural, name, group)))


def no_route() -> StatusError:
    """A path that names nothing at all."""
    return StatusError(status(404, "NotFound", "the server could not find the requested resource"))


def method_not_allowed() -> StatusError:
    text = "the server does not allow this method on the requested resource"
    return StatusError(status(405, "MethodNotAllowed", text))


def not_acceptable(accepted: str) -> StatusError:
    text = f"only the following media types are accepted: {accepted}"
    return StatusError(status(406, "NotAcceptable", text))


def unsupported_media_type(accepted: str) -> StatusError:
    text = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    return StatusError(status(415, "UnsupportedMediaType", text))


def expired(message: str = "The resourceVersion for the provided list is too old.") -> StatusError:
    return StatusError(status(410, "Expired", message))


def too_large(message: str) -> StatusError:
    return StatusError(status(413, "RequestEntityTooLarge", message))


def too_many_requests(message: str, retry_after_seconds: int) -> StatusError:
    return StatusError(status(429, "TooManyRequests", message, retryAfterSeconds=retry_after_seconds))


def internal(message: str) -> StatusError:
    return StatusError(status(500, "InternalError", f"Internal error occurred: {message}"))


def unavailable(message: str) -> StatusError:
    return StatusError(status(503, "ServiceUnavailable", message))


def timed_out(message: str, retry_after_seconds: int = 1) -> StatusError:
    return StatusError(status(504, "Timeout", message, retryAfterSeconds=retry_after_seconds))


def _details(plural: str, name: str, group: str) -> dict[str, Any]:
    found = {"name": name, "group": group, "kind": plural}
    return {key: value for key, value in found.items() if value}
