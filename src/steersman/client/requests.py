"""Requests of the Kubernetes API as values, and what their answers mean. Pure: no clock, no network.

Leaves to others: sending (`transport`), credentials (`kubeconfig`).
"""

import dataclasses
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.serving.messages import Request, Response

if TYPE_CHECKING:
    from steersman.api.kind import Kind

# Names the revision that the writer had seen when it decided; the store keeps it as the write's cause.
BECAUSE = "steersman-because"

Loads = Callable[[bytes], Any]

PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


@dataclasses.dataclass(frozen=True, slots=True)
class ObjectList:
    """One page of a list; `continue_token` is empty on the last. Every item carries apiVersion and kind."""

    items: list[Object]
    resource_version: str
    continue_token: str = ""
    remaining: int = 0


class WatchEvent(NamedTuple):
    """`type` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: Object


def path(kind: "Kind", namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The decoded path of an object, or of the collection when `name` is empty."""
    text = kind.path
    if namespace and kind.namespaced:
        text += f"/namespaces/{namespace}"
    text += f"/{kind.plural}"
    if name:
        text += f"/{name}"
    if subresource:
        text += f"/{subresource}"
    return text


def query(**parameters: str | int | bool | None) -> str:
    """A raw query string of camelCase parameters; empty, 0 and None are left out."""
    return "&".join([f"{key}={_escaped(value)}" for key, value in parameters.items() if value])


def _escaped(value: str | int | bool | None) -> str:
    text = "true" if value is True else str(value)
    return text if text.isalnum() and text.isascii() else urllib.parse.quote_plus(text)


def get(kind: "Kind", name: str, namespace: str, resource_version: str) -> Request:
    return Request("GET", path(kind, namespace, name), query(resourceVersion=resource_version))


def list_page(
    kind: "Kind",
    namespace: str,
    *,
    label_selector: str,
    field_selector: str,
    resource_version: str,
    limit: int,
    continue_token: str,
) -> Request:
    text = query(
        **{"continue": continue_token},
        labelSelector=label_selector,
        fieldSelector=field_selector,
        resourceVersion="" if continue_token else resource_version,  # the token names its own
        limit=limit,
    )
    return Request("GET", path(kind, namespace), text)


def watch(
    kind: "Kind",
    namespace: str,
    *,
    resource_version: str,
    label_selector: str,
    field_selector: str,
    bookmarks: bool,
    timeout_seconds: int,
) -> Request:
    text = query(
        watch="1",
        resourceVersion=resource_version,
        labelSelector=label_selector,
        fieldSelector=field_selector,
        allowWatchBookmarks=bookmarks,
        timeoutSeconds=timeout_seconds,
    )
    return Request("GET", path(kind, namespace), text)


def create(kind: "Kind", obj: Object, namespace: str, *, because: int, subresource: str, name: str) -> Request:
    """`name` is that of the parent when a subresource is created (`pods/NAME/binding`)."""
    meta = obj.get("metadata") or {}
    space = namespace or meta.get("namespace", "")
    of = (name or meta.get("name", "")) if subresource else ""
    return Request("POST", path(kind, space, of, subresource), "", _json(because), orjson.dumps(obj))


def update(kind: "Kind", obj: Object, *, because: int, subresource: str) -> Request:
    meta = obj["metadata"]
    where = path(kind, meta.get("namespace", ""), meta["name"], subresource)
    return Request("PUT", where, "", _json(because), orjson.dumps(obj))


def patch(
    kind: "Kind",
    name: str,
    namespace: str,
    body: Any,
    *,
    type: str,  # noqa: A002 -- the API's own word
    subresource: str,
    because: int,
    field_manager: str = "",
    force: bool = False,
) -> Request:
    text = query(fieldManager=field_manager, force=force)
    headers = _json(because) | {"content-type": PATCH_TYPES[type]}
    return Request("PATCH", path(kind, namespace, name, subresource), text, headers, orjson.dumps(body))


def delete(
    kind: "Kind",
    name: str,
    namespace: str,
    *,
    uid: str,
    resource_version: str,
    grace_seconds: int | None,
    propagation: str,
    because: int,
) -> Request:
    options: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
    preconditions = {key: value for key, value in (("uid", uid), ("resourceVersion", resource_version)) if value}
    if preconditions:
        options["preconditions"] = preconditions
    if grace_seconds is not None:
        options["gracePeriodSeconds"] = grace_seconds
    if propagation:
        options["propagationPolicy"] = propagation
    return Request("DELETE", path(kind, namespace, name), "", _json(because), orjson.dumps(options))


def parse_object(response: Response, loads: Loads = orjson.loads) -> Object:
    """The object of a 2xx answer. Raises StatusError for any other."""
    if response.status >= 400:
        raise refusal(response.status, response.body, response.headers)
    found: Object = loads(response.body)
    return found


def parse_list(kind: "Kind", response: Response) -> ObjectList:
    body = parse_object(response)
    items: list[Object] = body.get("items") or []
    api_version, name = kind.api_version, kind.kind
    for item in items:
        item.setdefault("apiVersion", api_version)
        item.setdefault("kind", name)
    meta = body.get("metadata") or {}
    return ObjectList(
        items, meta.get("resourceVersion", ""), meta.get("continue", ""), meta.get("remainingItemCount") or 0
    )


def parse_event(line: bytes, loads: Loads = orjson.loads) -> WatchEvent:
    """One line of a watch. Raises StatusError for an ERROR event."""
    event = loads(line)
    if event["type"] == "ERROR":
        raise errors.StatusError(event["object"])
    return WatchEvent(event["type"], event["object"])


def refusal(code: int, body: bytes, headers: Mapping[str, str]) -> errors.StatusError:
    """The Status in an error answer, or one made up for an answer that is not from an API server."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if isinstance(found, dict) and found.get("kind") == "Status":
        found.setdefault("code", code)
        return errors.StatusError(found)
    text = body[:1024].decode(errors="replace").strip() or "no body"
    after = headers.get("retry-after", "")
    details = {"retryAfterSeconds": int(after)} if after.isdecimal() else {}
    return errors.StatusError(errors.status(code, REASONS.get(code, "Unknown"), text, **details))


# Reasons for bare HTTP status codes: apimachinery's NewGenericServerResponse.
REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def _json(because: int) -> dict[str, str]:
    headers = {"content-type": "application/json"}
    if because:
        headers[BECAUSE] = str(because)
    return headers
