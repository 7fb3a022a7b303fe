"""The number of replicas of anything scalable, through its scale subresource."""

import orjson

from steersman.api.kind import Kind
from steersman.client import requests
from steersman.client.client import Client
from steersman.meta.objects import Object
from steersman.serving.messages import Request


class NotScalable(Exception):
    """The kind has no scale subresource; the text is upstream's."""


def check(kind: Kind) -> None:
    """Raises NotScalable."""
    if kind.subresource("scale") is None:
        raise NotScalable(f"{kind.resource} does not implement the scale subresource")


async def get(client: Client, kind: Kind, name: str, namespace: str) -> Object | None:
    """Its Scale; None when there is no such object. Raises NotScalable, StatusError."""
    check(kind)
    response = await client.request(Request("GET", path(kind, name, namespace)))
    if response.status == 404:
        return None
    if response.status != 200:
        raise requests.refusal(response.status, response.body, response.headers)
    found: Object = orjson.loads(response.body)
    return found


def path(kind: Kind, name: str, namespace: str) -> str:
    return f"{kind.path}/namespaces/{namespace}/{kind.plural}/{name}/scale"
