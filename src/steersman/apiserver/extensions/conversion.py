"""Objects of one version as another: by their apiVersion alone, or by a webhook.

Source: "Versions in CustomResourceDefinitions", ConversionReview of apiextensions.k8s.io/v1 and v1beta1.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

from steersman.aio.clock import Clock
from steersman.apiserver import webhook_client
from steersman.meta import errors
from steersman.meta.objects import Object

# (objects, apiVersion wanted) → the objects in that version, in the same order.
Convert = Callable[[Sequence[Object], str], Awaitable[list[Object]]]

_KEPT_META = ("name", "namespace", "uid")  # what a webhook may not change
_SECONDS = 30  # upstream's, for one review
_BATCH_OBJECTS = 500  # of one review: a list of any length must not become one body


async def renamed(objects: Sequence[Object], api_version: str) -> list[Object]:
    """Strategy None."""
    return [{**obj, "apiVersion": api_version} for obj in objects]


class Webhook:
    """Strategy Webhook of one definition; call it as a `Convert`."""

    def __init__(self, definition: Object, client: webhook_client.WebhookClient, clock: Clock) -> None:
        spec = definition["spec"]
        hook = spec["conversion"]["webhook"]
        self._config: Object = hook["clientConfig"]
        self._version = next(version for version in hook["conversionReviewVersions"] if version in ("v1", "v1beta1"))
        self._kind = f"{spec['group']}/{{}}, Kind={spec['names']['kind']}"
        self._client = client
        self._clock = clock

    async def __call__(self, objects: Sequence[Object], api_version: str) -> list[Object]:
        """Raises StatusError 500 with what went wrong."""
        result: list[Object] = []
        for start in range(0, len(objects), _BATCH_OBJECTS):
            result += await self._convert(objects[start : start + _BATCH_OBJECTS], api_version)
        return result

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
        except (_Failed, webhook_client.Failed, ValueError) as why:
            kind = self._kind.format(str(objects[0].get("apiVersion", "")).rpartition("/")[2])
            raise errors.internal(f"conversion webhook for {kind} failed: {why}") from why

    async def _ask(self, review: Object) -> Object:
        answer = await self._client.post(self._config, f"timeout={_SECONDS}s", orjson.dumps(review), _SECONDS)
        body = orjson.loads(answer)
        found = body.get("response") if isinstance(body, dict) else None
        if not isinstance(found, dict):
            raise _Failed("the answer has no response")
        return found


class _Failed(Exception):
    """The webhook did not do its part."""


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
