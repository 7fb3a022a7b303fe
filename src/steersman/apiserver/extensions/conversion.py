"""Objects of one version as another: by their apiVersion alone, or by a webhook.

Source: "Versions in CustomResourceDefinitions", ConversionReview of apiextensions.k8s.io/v1 and v1beta1.
"""

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.apiserver import decoded
from steersman.client.access import Access
from steersman.client.transport import HttpTransport, Transport, Unreachable
from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.serving.messages import Request

# (objects, apiVersion wanted) → the objects in that version, in the same order.
Convert = Callable[[Sequence[Object], str], Awaitable[list[Object]]]

_KEPT_META = ("name", "namespace", "uid")  # what a webhook may not change
_BATCH_OBJECTS = 500  # of one review: a list of any length must not become one body


async def renamed(objects: Sequence[Object], api_version: str) -> list[Object]:
    """Strategy None."""
    return [{**obj, "apiVersion": api_version} for obj in objects]


class Webhook:
    """Strategy Webhook of one definition; call it as a `Convert`."""

    def __init__(self, definition: Object, objects: decoded.DecodedObjects, clock: Clock) -> None:
        spec = definition["spec"]
        hook = spec["conversion"]["webhook"]
        self._config: Object = hook["clientConfig"]
        self._version = next(version for version in hook["conversionReviewVersions"] if version in ("v1", "v1beta1"))
        self._kind = f"{spec['group']}/{{}}, Kind={spec['names']['kind']}"
        self._objects = objects
        self._clock = clock
        self._transports: dict[str, Transport] = {}

    async def __call__(self, objects: Sequence[Object], api_version: str) -> list[Object]:
        """Raises StatusError 500 with what went wrong."""
        result: list[Object] = []
        for start in range(0, len(objects), _BATCH_OBJECTS):
            result += await self._convert(objects[start : start + _BATCH_OBJECTS], api_version)
        return result

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.close()
        self._transports.clear()

    async def _convert(self, objects: Sequence[Object], api_version: str) -> list[Object]:
        uid = self._clock.uid()
        review = {
            "kind": "ConversionReview",
            "apiVersion": f"apiextensions.k8s.io/{self._version}",
            "request": {"uid": uid, "desiredAPIVersion": api_version, "objects": list(objects)},
        }
        try:
            answer = await self._ask(review)
            return _converted(objects, answer, uid, api_version)
        except (_Failed, Unreachable, errors.StatusError, OSError, ValueError) as why:
            kind = self._kind.format(str(objects[0].get("apiVersion", "")).rpartition("/")[2])
            raise errors.internal(f"conversion webhook for {kind} failed: {why}") from why

    async def _ask(self, review: Object) -> Object:
        transport, path = await self._way()
        headers = {"content-type": "application/json", "accept": "application/json"}
        response = await transport.request(Request("POST", path, "timeout=30s", headers, orjson.dumps(review)))
        if response.status != 200:
            text = response.body[:512].decode(errors="replace").strip()
            raise _Failed(f"the server answered {response.status}: {text}")
        body = orjson.loads(response.body)
        found = body.get("response") if isinstance(body, dict) else None
        if not isinstance(found, dict):
            raise _Failed("the answer has no response")
        return found

    async def _way(self) -> tuple[Transport, str]:
        """A way to the webhook, and the path there. A Service is reached at its cluster address."""
        url, name, address = str(self._config.get("url", "")), "", ""
        if not url:
            service = self._config["service"]
            found = await self._objects.get(kinds.SERVICE, service["namespace"], service["name"])
            address = ((found or {}).get("spec") or {}).get("clusterIP", "")
            if not address or address == "None":
                raise _Failed(f'service "{service["name"]}" not found')
            name = f"{service['name']}.{service['namespace']}.svc"
            url = f"https://{address}:{service.get('port', 443)}/{service.get('path', '').lstrip('/')}"
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        server = f"{scheme}://{host}"
        if server not in self._transports:
            access = Access(server, authority=_bundle(self._config), server_name=name)
            self._transports[server] = HttpTransport(access, clock=self._clock)
        return self._transports[server], f"/{path}"


class _Failed(Exception):
    """The webhook did not do its part."""


def _bundle(config: Object) -> bytes:
    try:
        return base64.b64decode(config.get("caBundle") or "")
    except binascii.Error as wrong:
        raise _Failed(f"unable to load root certificates: {wrong}") from wrong


def _converted(given: Sequence[Object], answer: Object, uid: str, api_version: str) -> list[Object]:
    result = answer.get("result") or {}
    if answer.get("uid") != uid:
        raise _Failed(f'expected response.uid="{uid}", got "{answer.get("uid", "")}"')
    if result.get("status") != "Success":
        why = f"response.result.status was '{result.get('status', '')}', not 'Success'"
        raise _Failed(str(result.get("message") or why))
    made = answer.get("convertedObjects") or []
    if len(made) != len(given):
        raise _Failed(f"returned {len(made)} objects, expected {len(given)}")
    return [
        _checked(before, after, index, api_version)
        for index, (before, after) in enumerate(zip(given, made, strict=True))
    ]


def _checked(before: Object, after: Any, index: int, api_version: str) -> Object:
    """The converted object with the metadata a webhook may not change. Raises _Failed."""
    if not isinstance(after, dict) or after.get("apiVersion") != api_version:
        raise _Failed(f"returned invalid converted object at index {index}: it is not of {api_version}")
    if after.get("kind") != before.get("kind"):
        raise _Failed(f"returned invalid converted object at index {index}: invalid kind {after.get('kind')!r}")
    old, new = before["metadata"], after.get("metadata") or {}
    for field in _KEPT_META:
        if new.get(field) != old.get(field):
            raise _Failed(f"returned invalid metadata of object at index {index}: {field} must not change")
    return {**after, "metadata": {**old, **{name: new[name] for name in ("labels", "annotations") if name in new}}}
