"""What the storage version migrator watches and sees: its resource is listed live, in the version discovery prefers."""

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.controllers import discovery
from steersman.controllers.loop import Controller, Look, Watch
from steersman.controllers.storage_version_migrator import decide
from steersman.controllers.storage_version_migrator.decide import Seen
from steersman.meta import objects
from steersman.meta.objects import Object

_PAGE = 500


def controller() -> Controller:
    return Controller(
        name="storage-version-migrator-controller",
        watches=(Watch(kinds.STORAGE_VERSION_MIGRATION, lambda caches, obj: (objects.name(obj),)),),
        observe=observe,
        decide=decide.decide,
        workers=1,
    )


async def observe(look: Look, key: str) -> Seen | None:
    migration = look.caches.of(kinds.STORAGE_VERSION_MIGRATION).get(key)
    if migration is None:
        return None
    if decide.is_over(migration):
        return Seen(migration, None, (), "", look.now)
    resource = migration["spec"]["resource"]
    kind = await discovery.kind_of(look.client, resource.get("group", ""), resource["resource"])
    if kind is None or not {"list", "patch"} <= set(kind.verbs):
        return Seen(migration, None, (), "", look.now)
    items, revision = await _all(look, kind)
    return Seen(migration, kind, items, revision, look.now, look.failure)


async def _all(look: Look, kind: Kind) -> tuple[list[Object], str]:
    found: list[Object] = []
    token = ""
    while True:
        page = await look.client.list(kind, limit=_PAGE, continue_token=token)
        found += page.items
        token = page.continue_token
        if not token:
            return found, page.resource_version
