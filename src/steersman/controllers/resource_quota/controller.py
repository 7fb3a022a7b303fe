"""What the quota controller watches and sees: every kind that can be counted. Caches tell that a count may be wrong; what is
written comes from live reads, as a cache may not show yet what the quota has counted."""

from collections.abc import Callable, Iterable

from steersman.api import kinds
from steersman.api.kind import Kind, Kinds
from steersman.api.quotas import evaluators
from steersman.api.quotas.evaluators import Evaluator
from steersman.client.cache import Caches
from steersman.controllers import live
from steersman.controllers.garbage_collector.controller import collected_kinds
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.controllers.resource_quota import decide
from steersman.controllers.resource_quota.decide import Seen
from steersman.meta import objects
from steersman.meta.objects import Object

# That usage or scopes are read from: of pods, then of claims.
_OF_STATUS = ("phase", "allocatedResources", "currentVolumeAttributesClassName", "modifyVolumeStatus")


def controller(served: Kinds = kinds.BUILTIN) -> Controller:
    return _Counter(served).controller()


class _Counter:
    def __init__(self, served: Kinds) -> None:
        self._counted: dict[str, tuple[Kind, Evaluator]] = {}
        for kind in collected_kinds(served):
            self._add(kind)

    def _add(self, kind: Kind) -> bool:
        evaluator = evaluators.of(kind.group, kind.plural) if kind.namespaced else None
        if evaluator is not None:
            self._counted[kind.resource] = kind, evaluator
        return evaluator is not None

    def controller(self) -> Controller:
        return Controller(
            name="resourcequota-controller",
            watches=(
                Watch(kinds.RESOURCE_QUOTA, lambda caches, obj: (objects.key(obj),), _wants_count),
                *(Watch(kind, keys_of_quotas, _frees(evaluator)) for kind, evaluator in self._counted.values()),
            ),
            observe=self.observe,
            decide=decide.decide,
            workers=5,  # upstream's --concurrent-resource-quota-syncs
            custom=self,
        )

    def added(self, kind: Kind) -> tuple[tuple[Watch, ...], tuple[Index, ...]]:
        if not self._add(kind):
            return (), ()
        return (Watch(kind, keys_of_quotas, _frees(self._counted[kind.resource][1])),), ()

    def waiting_for(self, kind: Kind) -> tuple[str, ...]:
        return ()

    def removed(self, kind: Kind) -> None:
        self._counted.pop(kind.resource, None)

    async def observe(self, look: Look, key: str) -> Seen | None:
        quota = look.caches.of(kinds.RESOURCE_QUOTA).get(key)
        if quota is None:
            return None
        counted = self._counted_by(quota)
        namespace = objects.namespace(quota)
        shown = Seen(quota, {_name(kind): look.caches.of(kind).list(namespace) for kind in counted}, look.now)
        if not decide.decide(shown).actions:
            return shown
        quota = await live.get(look.client, kinds.RESOURCE_QUOTA, objects.name(quota), namespace)
        if quota is None:
            return None
        return Seen(quota, {_name(kind): (await look.client.list(kind, namespace)).items for kind in counted}, look.now)

    def _counted_by(self, quota: Object) -> list[Kind]:
        hard = (quota.get("spec") or {}).get("hard") or {}
        return [kind for kind, evaluator in self._counted.values() if evaluator.covered(hard)]


def keys_of_quotas(caches: Caches, obj: Object) -> Iterable[str]:
    return [objects.key(quota) for quota in caches.of(kinds.RESOURCE_QUOTA).list(objects.namespace(obj))]


def _wants_count(old: Object | None, new: Object | None) -> bool:
    """What it limits has changed, or somebody has written its status. (Admission only changes amounts.)"""
    if old is None or new is None:
        return new is not None
    before, after = old.get("status") or {}, new.get("status") or {}
    if old.get("spec") != new.get("spec") or (new.get("spec") or {}).get("hard") != after.get("hard"):
        return True
    return (before.get("used") or {}).keys() != (after.get("used") or {}).keys()


def _frees(evaluator: Evaluator) -> Callable[[Object | None, Object | None], bool]:
    """What is new has been counted; only what is gone or may use less needs a new count."""

    def matters(old: Object | None, new: Object | None) -> bool:
        if old is None or new is None:
            return new is None
        return bool(evaluator.updates) and _what_counts(old) != _what_counts(new)

    return matters


def _what_counts(obj: Object) -> tuple[object, ...]:
    status = obj.get("status") or {}
    return obj.get("spec"), *(status.get(field) for field in _OF_STATUS)


def _name(kind: Kind) -> decide.Resource:
    return kind.group, kind.plural
