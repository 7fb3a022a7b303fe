"""What device taint eviction watches and sees. Keys are `pod:NAMESPACE/NAME` and `rule:NAME`."""

import collections
from collections.abc import Iterable, Iterator

from steersman.api import device_taints, devices, kinds
from steersman.client.cache import Caches
from steersman.controllers.decision import Decision
from steersman.controllers.device_taint_eviction import decide, rule_status
from steersman.controllers.device_taint_eviction.decide import Seen, Tainted
from steersman.controllers.device_taint_eviction.rule_status import SeenRule
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.meta import objects
from steersman.meta.objects import Object

POOL = "pool"  # slices, and claims with devices of it, by driver/pool
CLAIMING = "claiming"  # pods that have claims


def controller() -> Controller:
    watcher = _Watcher()
    return Controller(
        name="device-taint-eviction-controller",
        watches=(
            Watch(kinds.POD, keys_of_pod),
            Watch(kinds.RESOURCE_CLAIM, keys_of_claim),
            Watch(kinds.RESOURCE_SLICE, keys_of_slice, _taints_changed),
            Watch(kinds.DEVICE_TAINT_RULE, keys_of_rule),
        ),
        observe=watcher.observe,
        decide=_decide,
        indexes=(
            Index(kinds.RESOURCE_SLICE, POOL, lambda found: (_pool(found),)),
            Index(kinds.RESOURCE_CLAIM, POOL, _pools_of_claim),
            Index(kinds.POD, CLAIMING, lambda pod: ("yes",) if _claims(pod) else ()),
        ),
    )


def keys_of_pod(caches: Caches, pod: Object) -> Iterable[str]:
    if _claims(pod):
        yield f"pod:{objects.key(pod)}"
        for rule in caches.of(kinds.DEVICE_TAINT_RULE).list():
            if rule["spec"]["taint"]["effect"] == device_taints.EXECUTE:
                yield f"rule:{objects.name(rule)}"


def keys_of_claim(caches: Caches, claim: Object) -> Iterable[str]:
    for consumer in devices.reserved_for(claim):
        if consumer.get("resource") == "pods":
            yield f"pod:{objects.namespace(claim)}/{consumer['name']}"


def keys_of_slice(caches: Caches, found: Object) -> Iterable[str]:
    for claim in caches.of(kinds.RESOURCE_CLAIM).by_index(POOL, _pool(found)):
        yield from keys_of_claim(caches, claim)


def keys_of_rule(caches: Caches, rule: Object) -> Iterable[str]:
    yield f"rule:{objects.name(rule)}"
    for claim in caches.of(kinds.RESOURCE_CLAIM).list():
        if any(device_taints.selects(rule, one.id) for one in devices.held_by(devices.allocation(claim) or {})):
            yield from keys_of_claim(caches, claim)


def _decide(seen: Seen | SeenRule) -> Decision:
    return rule_status.decide(seen) if isinstance(seen, SeenRule) else decide.decide(seen)


class _Watcher:
    """Remembers whose time is counted, and which pods each rule has evicted."""

    def __init__(self) -> None:
        self._awaited: dict[str, str] = {}  # key → uid of the pod
        self._evicted: collections.defaultdict[str, set[str]] = collections.defaultdict(set)  # rule → pods, by uid

    def observe(self, look: Look, key: str) -> Seen | SeenRule | None:
        what, _, key = key.partition(":")
        return self._pod(look, key) if what == "pod" else self._rule(look, key)

    def _pod(self, look: Look, key: str) -> Seen | None:
        pod = look.caches.of(kinds.POD).get(key)
        was_awaited = self._awaited.pop(key, "")
        if pod is None:
            return None
        found = Seen(pod, [*taints_of(look.caches, pod)], look.now, was_awaited == objects.uid(pod))
        left = decide.seconds_left(found.taints, look.now)
        if left is not None and left > 0:
            self._awaited[key] = objects.uid(pod)
        elif left is not None and decide.may_be_evicted(pod):
            for one in found.taints:
                self._evicted[one.rule].add(objects.uid(pod))
        return found

    def _rule(self, look: Look, name: str) -> SeenRule | None:
        rule = look.caches.of(kinds.DEVICE_TAINT_RULE).get(name)
        if rule is None:
            return None
        as_if = {**rule, "spec": {**rule["spec"], "taint": {**rule["spec"]["taint"], "effect": device_taints.EXECUTE}}}
        pending = [
            pod
            for pod in look.caches.of(kinds.POD).by_index(CLAIMING, "yes")
            if decide.may_be_evicted(pod)
            and any(
                decide.end(one, look.now) is not None
                for one in taints_of(look.caches, pod, as_if)
                if one.rule == objects.uid(rule)
            )
        ]
        published = [
            device
            for found in look.caches.of(kinds.RESOURCE_SLICE).list()
            for device in found["spec"].get("devices") or ()
            if device_taints.selects(rule, (found["spec"]["driver"], found["spec"]["pool"]["name"], device["name"]))
        ]
        allocated = [
            held
            for claim in look.caches.of(kinds.RESOURCE_CLAIM).list()
            for held in devices.held_by(devices.allocation(claim) or {})
            if device_taints.selects(rule, held.id)
        ]
        return SeenRule(
            rule,
            look.now,
            pending=len(pending),
            namespaces=len({objects.namespace(pod) for pod in pending}),
            evicted=len(self._evicted.get(objects.uid(rule), ())),
            published=len(published),
            allocated=len(allocated),
        )


def taints_of(caches: Caches, pod: Object, as_if: Object | None = None) -> Iterator[Tainted]:
    """NoExecute taints of the devices that the pod uses; with `as_if` in the place of the rule of that name."""
    rules = caches.of(kinds.DEVICE_TAINT_RULE).list()
    if as_if is not None:
        rules = [as_if if objects.uid(one) == objects.uid(as_if) else one for one in rules]
    for _, name in devices.all_claim_names(pod):
        claim = caches.of(kinds.RESOURCE_CLAIM).get(f"{objects.namespace(pod)}/{name}")
        if claim is None or not devices.is_reserved_for(claim, pod):
            continue
        for result in ((devices.allocation(claim) or {}).get("devices") or {}).get("results") or ():
            device = result["driver"], result["pool"], result["device"]
            tolerations = result.get("tolerations") or ()
            for taint in _published(caches, *device):
                if taint["effect"] == device_taints.EXECUTE:
                    yield Tainted(taint, tolerations)
            for rule in rules:
                if rule["spec"]["taint"]["effect"] == device_taints.EXECUTE and device_taints.selects(rule, device):
                    yield Tainted(rule["spec"]["taint"], tolerations, objects.uid(rule))


def _published(caches: Caches, driver: str, pool: str, device: str) -> Iterator[Object]:
    """By the pool's newest generation."""
    slices = caches.of(kinds.RESOURCE_SLICE).by_index(POOL, f"{driver}/{pool}")
    newest = max((one["spec"]["pool"].get("generation", 0) for one in slices), default=0)
    for found in slices:
        if found["spec"]["pool"].get("generation", 0) == newest:
            for one in found["spec"].get("devices") or ():
                if one["name"] == device:
                    yield from one.get("taints") or ()


def _claims(pod: Object) -> bool:
    return bool(pod["spec"].get("resourceClaims") or devices.extended(pod))


def _pool(found: Object) -> str:
    return f"{found['spec']['driver']}/{found['spec']['pool']['name']}"


def _pools_of_claim(claim: Object) -> list[str]:
    held = devices.held_by(devices.allocation(claim) or {})
    return [*dict.fromkeys(f"{one.id[0]}/{one.id[1]}" for one in held)]


def _taints_changed(old: Object | None, new: Object | None) -> bool:
    return _taints(old) != _taints(new)


def _taints(found: Object | None) -> list[tuple[str, Object]]:
    if found is None:
        return []
    listed = found["spec"].get("devices") or ()
    return [(one["name"], one["taints"]) for one in listed if one.get("taints")]
