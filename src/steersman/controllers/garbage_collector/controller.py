"""What the garbage collector watches and sees: the owner references of every kind that can be watched and deleted.

An owner that its cache does not show is read live before anything is deleted, once: a uid never comes back.
"""

from collections.abc import Iterable, Iterator

from steersman.api import kinds
from steersman.api.kind import Kind, Kinds
from steersman.client.cache import Cache, Caches
from steersman.controllers import indexes, live
from steersman.controllers.garbage_collector import decide
from steersman.controllers.garbage_collector.decide import Dependant, Owner, Seen, State
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.meta import objects, owners
from steersman.meta.objects import Object

# Upstream ignores events too: they are many, they expire by themselves, and nobody owns through them.
IGNORED = frozenset((("", "events"), ("events.k8s.io", "events")))

UNKNOWN_MAX = 10_000  # dependants of one unknown kind that are looked at as soon as it is known; the others within 30 s
ABSENT_MAX = 100_000  # uids remembered as gone; one takes about 100 bytes


def controller(served: Kinds = kinds.BUILTIN) -> Controller:
    return _Collector(served).controller()


def collected_kinds(served: Kinds) -> list[Kind]:
    """One row per resource, whatever versions it is served in."""
    found: dict[tuple[str, str], Kind] = {}
    for kind in served:
        place = kind.group, kind.plural
        if {"list", "watch", "delete", "patch"} <= set(kind.verbs) and place not in IGNORED:
            found.setdefault(place, kind)
    return list(found.values())


class _Collector:
    def __init__(self, served: Kinds) -> None:
        self._served = served
        self._kinds = {kind.resource: kind for kind in collected_kinds(served)}
        self._absent: dict[str, None] = {}  # in the order they were learnt
        self._unknown: dict[
            tuple[str, str], dict[str, None]
        ] = {}  # keys of dependants of kinds that nobody knows, by kind

    def controller(self) -> Controller:
        return Controller(
            name="garbage-collector-controller",
            watches=tuple(Watch(kind, self._keys(kind), _matters) for kind in self._kinds.values()),
            observe=self.observe,
            decide=decide.decide,
            indexes=tuple(indexes.by_owner(kind) for kind in self._kinds.values()),
            workers=20,  # upstream's --concurrent-gc-syncs
            custom=self,
        )

    def added(self, kind: Kind) -> tuple[tuple[Watch, ...], tuple[Index, ...]]:
        self._kinds[kind.resource] = kind
        return (Watch(kind, self._keys(kind), _matters),), (indexes.by_owner(kind),)

    def waiting_for(self, kind: Kind) -> list[str]:
        return list(self._unknown.pop((kind.group, kind.kind), ()))

    def removed(self, kind: Kind) -> None:
        self._kinds.pop(kind.resource, None)

    # Waking

    def _keys(self, kind: Kind) -> "_KeysOfKind":
        return _KeysOfKind(self, kind)

    def keys(self, caches: Caches, kind: Kind, obj: Object) -> Iterator[str]:
        """Itself, owners that wait for it, and its dependants when it is gone or waits for them."""
        references = owners.of(obj)
        found = caches.of(kind).get(objects.key(obj))
        is_gone = found is None or objects.uid(found) != objects.uid(obj)
        if is_gone:
            self.remember_absent(objects.uid(obj))
        elif objects.is_terminating(obj) or not all(self._is_solid(caches, obj, one) for one in references):
            yield _key(kind, obj)
        for reference in references:
            owner = self._owner(caches, obj, reference)
            if owner is not None and objects.is_terminating(owner[1]):
                yield _key(*owner)
        if is_gone or decide.is_waiting(obj):
            for dependant in self._dependants(caches, obj):
                yield _key(dependant.kind, dependant.obj)

    def remember_absent(self, uid: str) -> None:
        self._absent[uid] = None
        if len(self._absent) > ABSENT_MAX:
            del self._absent[next(iter(self._absent))]

    # Observing

    async def observe(self, look: Look, key: str) -> Seen | None:
        resource, _, object_key = key.partition("|")
        kind = self._kinds.get(resource)
        if kind is None:
            return None  # a custom kind that is gone
        obj = look.caches.of(kind).get(object_key)
        if obj is None:
            return None
        if objects.is_terminating(obj):
            wants = decide.has_finalizer(obj, decide.FOREGROUND) or decide.has_finalizer(obj, decide.ORPHAN)
            return Seen(kind, obj, dependants=self._dependants(look.caches, obj)) if wants else None
        states = [await self._state(look, key, obj, reference) for reference in owners.of(obj)]
        waits = any(one.state is State.WAITING for one in states)
        return Seen(kind, obj, states, self._dependants(look.caches, obj) if waits else ())

    async def _state(self, look: Look, key: str, obj: Object, reference: Object) -> Owner:
        uid = str(reference.get("uid", ""))
        if uid in self._absent:
            return Owner(uid, State.ABSENT)
        kind = self.kind_of(reference)
        if kind is None:
            self._remember_unknown(reference, key)
            return Owner(uid, State.UNKNOWN)  # not served yet, or not any more
        if kind.namespaced and not objects.namespace(obj):
            return Owner(uid, State.UNKNOWN)  # out of the dependant's reach
        cached = self._owner(look.caches, obj, reference)
        found = cached[1] if cached else None
        if found is None:
            found = await live.get(look.client, kind, str(reference["name"]), objects.namespace(obj))
        if found is None or objects.uid(found) != uid:
            misplaced = _misplaced(look.caches.of(kind), obj, reference)
            if not misplaced:
                self.remember_absent(uid)
            return Owner(uid, State.ABSENT, misplaced)
        return Owner(uid, State.WAITING if decide.is_waiting(found) else State.SOLID)

    def _remember_unknown(self, reference: Object, key: str) -> None:
        group = str(reference.get("apiVersion", "")).rpartition("/")[0]
        waiting = self._unknown.setdefault((group, str(reference.get("kind", ""))), {})
        waiting[key] = None
        if len(waiting) > UNKNOWN_MAX:
            del waiting[next(iter(waiting))]

    def kind_of(self, reference: Object) -> Kind | None:
        """The collected row of the owner's kind, whatever version the reference names."""
        version = str(reference.get("apiVersion", ""))
        group = version.rpartition("/")[0]
        exact = self._served.of_object(version, str(reference.get("kind", "")))
        if exact is not None:
            return self._kinds.get(exact.resource)
        name = reference.get("kind")
        return next((one for one in self._kinds.values() if one.group == group and one.kind == name), None)

    def _owner(self, caches: Caches, obj: Object, reference: Object) -> tuple[Kind, Object] | None:
        """The owner as its cache shows it; None when another object, or none, has its name."""
        kind = self.kind_of(reference)
        if kind is None:
            return None
        space = objects.namespace(obj) if kind.namespaced else ""
        found = caches.of(kind).get(f"{space}/{reference['name']}" if space else str(reference["name"]))
        if found is None or objects.uid(found) != reference.get("uid"):
            return None
        return kind, found

    def _is_solid(self, caches: Caches, obj: Object, reference: Object) -> bool:
        owner = self._owner(caches, obj, reference)
        return owner is not None and not objects.is_terminating(owner[1])

    def _dependants(self, caches: Caches, obj: Object) -> list[Dependant]:
        uid = objects.uid(obj)
        space = objects.namespace(obj)
        return [
            Dependant(kind, one)
            for kind in self._kinds.values()
            for one in _owned(caches.of(kind), uid)
            if not space or objects.namespace(one) == space
        ]


class _KeysOfKind:
    def __init__(self, collector: _Collector, kind: Kind) -> None:
        self._collector = collector
        self._kind = kind

    def __call__(self, caches: Caches, obj: Object) -> Iterable[str]:
        return self._collector.keys(caches, self._kind, obj)


def _misplaced(cache: Cache, obj: Object, reference: Object) -> str:
    """What was looked for, if it is in another namespace; "" when it is nowhere. Looked through once for each lost owner."""
    uid = reference.get("uid")
    if not any(objects.uid(one) == uid for one in cache.list()):
        return ""
    kind = f"{reference.get('apiVersion')}/{reference.get('kind')}"
    return f"[{kind}, namespace: {objects.namespace(obj)}, name: {reference.get('name')}, uid: {uid}]"


def _owned(cache: Cache, uid: str) -> list[Object]:
    return cache.by_index(indexes.OWNER, uid)


def _key(kind: Kind, obj: Object) -> str:
    return f"{kind.resource}|{objects.key(obj)}"


def _matters(old: Object | None, new: Object | None) -> bool:
    if old is None or new is None:
        return True
    before, after = old["metadata"], new["metadata"]
    return any(
        before.get(field) != after.get(field) for field in ("ownerReferences", "finalizers", "deletionTimestamp")
    )
