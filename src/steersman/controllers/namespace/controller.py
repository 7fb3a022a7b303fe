"""What the namespace controller watches and sees: the caches while they still show contents, live lists at the end."""

from collections.abc import Iterable

from steersman.api import kinds
from steersman.api.kind import Kind, Kinds
from steersman.client.cache import Caches
from steersman.controllers import discovery
from steersman.controllers.garbage_collector.controller import collected_kinds
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.controllers.namespace import decide
from steersman.controllers.namespace.decide import Seen
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

LIST_MAX = 500  # objects of a kind per look: enough to keep deleting while the next list is fetched


def controller(served: Kinds = kinds.BUILTIN) -> Controller:
    return _Emptier(served).controller()


class _Emptier:
    def __init__(self, served: Kinds) -> None:
        self._cached = [kind for kind in collected_kinds(served) if kind.namespaced]
        names = {kind.resource for kind in self._cached}
        deletable = {
            kind.resource: kind for kind in served if kind.namespaced and {"list", "delete"} <= set(kind.verbs)
        }
        self._uncached = [kind for resource, kind in deletable.items() if resource not in names]

    def controller(self) -> Controller:
        return Controller(
            name="namespace-controller",
            watches=(
                Watch(kinds.NAMESPACE, lambda caches, obj: (objects.name(obj),)),
                *(Watch(kind, keys_of_content, _is_gone) for kind in self._cached),
            ),
            observe=self.observe,
            decide=decide.decide,
            workers=10,  # upstream's --concurrent-namespace-syncs
            custom=self,
        )

    def added(self, kind: Kind) -> tuple[tuple[Watch, ...], tuple[Index, ...]]:
        if not kind.namespaced:
            return (), ()
        self._cached.append(kind)
        return (Watch(kind, keys_of_content, _is_gone),), ()

    def waiting_for(self, kind: Kind) -> tuple[str, ...]:
        return ()

    def removed(self, kind: Kind) -> None:
        self._cached = [one for one in self._cached if one.resource != kind.resource]

    async def observe(self, look: Look, key: str) -> Seen | None:
        namespace = look.caches.of(kinds.NAMESPACE).get(key)
        if namespace is None or not decide.is_ending(namespace):
            return None
        cached = {kind: look.caches.of(kind).list(key) for kind in self._cached}
        if any(cached.values()):
            return Seen(namespace, cached, False, look.now, look.failure)
        wanted = {kind.resource: kind for kind in (*self._cached, *self._uncached)}
        served, unknown = await discovery.deletable_kinds(look.client)
        for kind in served:
            wanted.setdefault(kind.resource, kind)  # a custom kind that nobody has told of yet
        listed = {kind: await _list(look, kind, key) for kind in wanted.values()}
        return Seen(namespace, listed, True, look.now, look.failure, tuple(unknown))


async def _list(look: Look, kind: Kind, namespace: str) -> list[Object]:
    try:
        return (await look.client.list(kind, namespace, limit=LIST_MAX)).items
    except StatusError as refused:
        if refused.code in (404, 405):  # not served here: nothing can be there
            return []
        raise


def keys_of_content(caches: Caches, obj: Object) -> Iterable[str]:
    space = objects.namespace(obj)
    namespace = caches.of(kinds.NAMESPACE).get(space)
    return (space,) if namespace is not None and objects.is_terminating(namespace) else ()


def _is_gone(old: Object | None, new: Object | None) -> bool:
    return new is None
