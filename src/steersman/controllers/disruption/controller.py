"""What the disruption controller watches and sees. Keys: `budget|NAMESPACE/NAME` and `pod|NAMESPACE/NAME`."""

from collections.abc import Iterable, Iterator

from steersman.api import kinds
from steersman.api.kind import Kind, Kinds
from steersman.client.cache import Caches
from steersman.controllers import indexes, pods, scales
from steersman.controllers.disruption import decide
from steersman.controllers.disruption.decide import Scale, Seen, SeenTarget
from steersman.controllers.known_kinds import KnownKinds
from steersman.controllers.loop import Controller, Look, Watch
from steersman.meta import objects, owners, selectors
from steersman.meta.objects import Object

_BUDGET, _POD = "budget|", "pod|"
_WITH_TEMPLATE = (kinds.REPLICATION_CONTROLLER, kinds.DEPLOYMENT, kinds.REPLICA_SET, kinds.STATEFUL_SET)


def controller(served: Kinds = kinds.BUILTIN) -> Controller:
    return _Keeper(served).controller()


class _Keeper:
    def __init__(self, served: Kinds) -> None:
        self._kinds = KnownKinds(served)

    def controller(self) -> Controller:
        return Controller(
            name="controllermanager",  # what upstream's disruption controller calls itself in events
            watches=(
                Watch(kinds.POD_DISRUPTION_BUDGET, lambda caches, obj: (_BUDGET + objects.key(obj),)),
                Watch(kinds.POD, keys_of_pod, _matters),
                *(Watch(kind, keys_of_owner, _is_scaled) for kind in _WITH_TEMPLATE),
            ),
            observe=self.observe,
            decide=decide.decide,
            indexes=(indexes.by_label(kinds.POD),),
            custom=self._kinds,
        )

    # Observing

    async def observe(self, look: Look, key: str) -> Seen | SeenTarget | None:
        which, _, object_key = key.partition("|")
        if which + "|" == _POD:
            pod = look.caches.of(kinds.POD).get(object_key)
            return SeenTarget(pod, look.now) if pod is not None and decide.stale_since(pod) else None
        budget = look.caches.of(kinds.POD_DISRUPTION_BUDGET).get(object_key)
        if budget is None or objects.is_terminating(budget):
            return None
        namespace = objects.namespace(budget)
        selector = selectors.from_object((budget.get("spec") or {}).get("selector"))
        selected = indexes.selected(look.caches.of(kinds.POD), namespace, selector)
        references = {str(one["uid"]): one for pod in selected if (one := owners.controller_of(pod)) is not None}
        found = {uid: await self._scale(look, reference, namespace) for uid, reference in references.items()}
        return Seen(budget, selected, found, look.now, _rivals(look.caches, namespace, selected))

    async def _scale(self, look: Look, reference: Object, namespace: str) -> Scale | str | None:
        kind = self._kinds.of(str(reference["apiVersion"]), reference["kind"])
        if kind is None:
            return f'no matches for kind "{reference["kind"]}" in version "{reference["apiVersion"]}"'
        if kind in _WITH_TEMPLATE:
            return _cached_scale(look.caches, kind, reference, namespace)
        try:
            scale = await scales.get(look.client, kind, reference["name"], namespace)
        except scales.NotScalable as why:
            return str(why)
        if scale is None or objects.uid(scale) != reference["uid"]:
            return None
        return Scale(objects.uid(scale), (scale.get("spec") or {}).get("replicas") or 0)


def _cached_scale(caches: Caches, kind: Kind, reference: Object, namespace: str) -> Scale | None:
    """Of a ReplicaSet that a Deployment looks after, the Deployment's."""
    owner = caches.of(kind).get(f"{namespace}/{reference['name']}")
    if owner is None or objects.uid(owner) != reference["uid"]:
        return None
    above = owners.controller_of(owner) if kind is kinds.REPLICA_SET else None
    if above is not None and above["kind"] == kinds.DEPLOYMENT.kind:
        return _cached_scale(caches, kinds.DEPLOYMENT, above, namespace)
    return Scale(objects.uid(owner), owner["spec"].get("replicas") or 0)


def _rivals(caches: Caches, namespace: str, selected: list[Object]) -> dict[str, list[str]]:
    budgets = caches.of(kinds.POD_DISRUPTION_BUDGET).list(namespace)
    if len(budgets) < 2:
        return {}
    matching = {objects.name(pod): sorted(map(objects.name, _covering(caches, pod))) for pod in selected}
    return {name: found for name, found in matching.items() if len(found) > 1}


def _covering(caches: Caches, obj: Object) -> Iterator[Object]:
    """The budgets of a pod."""
    labels = objects.labels(obj)
    for budget in caches.of(kinds.POD_DISRUPTION_BUDGET).list(objects.namespace(obj)):
        if selectors.object_matches((budget.get("spec") or {}).get("selector"), labels):
            yield budget


def keys_of_pod(caches: Caches, pod: Object) -> Iterator[str]:
    if decide.stale_since(pod):
        yield _POD + objects.key(pod)
    for budget in _covering(caches, pod):
        yield _BUDGET + objects.key(budget)


def keys_of_owner(caches: Caches, obj: Object) -> Iterable[str]:
    template = obj["spec"].get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    pod = {"metadata": {"namespace": objects.namespace(obj), "labels": labels}}
    return [_BUDGET + objects.key(budget) for budget in _covering(caches, pod)]


def _matters(old: Object | None, new: Object | None) -> bool:
    return old is None or new is None or _facts(old) != _facts(new)


def _facts(pod: Object) -> tuple[object, ...]:
    return (
        pods.is_ready(pod),
        pods.is_terminating(pod),
        objects.labels(pod),
        owners.controller_uid(pod),
        decide.stale_since(pod),
    )


def _is_scaled(old: Object | None, new: Object | None) -> bool:
    return old is not None and new is not None and old["spec"].get("replicas") != new["spec"].get("replicas")
