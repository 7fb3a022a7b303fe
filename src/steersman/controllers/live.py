"""Reads past the cache, for the few decisions that a stale view must not make."""

from steersman.api.kind import Kind
from steersman.client.client import Client
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object


async def get(client: Client, kind: Kind, name: str, namespace: str) -> Object | None:
    """None when there is none. Raises StatusError for any other refusal."""
    try:
        return await client.get(kind, name, namespace if kind.namespaced else "")
    except StatusError as refused:
        if refused.code == 404:
            return None
        raise


async def is_alive(client: Client, kind: Kind, obj: Object) -> bool:
    """This very object still exists and is not being deleted: only then may it adopt."""
    found = await get(client, kind, objects.name(obj), objects.namespace(obj))
    return found is not None and objects.uid(found) == objects.uid(obj) and not objects.is_terminating(found)
