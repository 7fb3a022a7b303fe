"""What has to be written and deleted so that the cluster is wanted to be what it was. Pure.

Keeps true:
- Objects that are gone come back as they were, uid included, so that owners are found again. What users changed is changed back.
- What somebody's controller made is that controller's business: it is brought back only together with its controller, and deleted
  only by the garbage collector.
- What lives in a namespace that ends comes back after it has ended, together with it.
- What tells of the world is left alone: status of what is there, events, leases, which nodes there are, what is attached where.
- A pod without a controller comes back as a new one, for its containers are gone. Data of volumes stay as they are.
"""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import cast

import orjson

from steersman.api import kinds
from steersman.apiserver import keys
from steersman.apiserver.admission import node_ports
from steersman.meta import objects, owners
from steersman.meta.objects import Object
from steersman.store import state
from steersman.store.contract import Event, Put

_LEFT_ALONE = frozenset(
    kind.prefix
    for kind in (
        *(kinds.EVENT, kinds.LEASE, kinds.CSI_NODE, kinds.RESOURCE_SLICE, kinds.VOLUME_ATTACHMENT),
        *(kinds.CERTIFICATE_SIGNING_REQUEST, kinds.CSI_STORAGE_CAPACITY),
    )
)
_DERIVED = ("endpointslice.kubernetes.io/managed-by", "endpoints.kubernetes.io/managed-by")
_NAMESPACES = kinds.NAMESPACE.prefix
_FIRST = (_NAMESPACES, kinds.CUSTOM_RESOURCE_DEFINITION.prefix)  # others live in them
# With the Services and claims that they belong to, and nodes are as many as there are machines.
_GO_WITH_OTHERS = (kinds.IP_ADDRESS.prefix, node_ports.PREFIX, kinds.PERSISTENT_VOLUME.prefix, kinds.NODE.prefix)
_VARYING = ("resourceVersion", "managedFields", "generation")
_COUNTED = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")
_VERSION = b'"resourceVersion":"'


@dataclasses.dataclass(frozen=True, slots=True)
class Unwanted:
    """An object that was not there then, to be deleted as users delete."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """`taken`: keys of what would come back if nothing else stood there."""

    puts: Sequence[Put]
    unwanted: Sequence[Unwanted]
    taken: Sequence[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Fresh:
    """What new objects get. `now` is RFC 3339 in seconds."""

    uid: Callable[[], str]
    now: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Key:
    """What one key held then and holds now, None for nothing."""

    key: str
    then: Object | None
    now: Object | None
    revision: int

    @property
    def resource(self) -> str:
        return state.resource_of(self.key)

    @property
    def is_same(self) -> bool:
        """One object, which is not on its way out now. A pod that was made anew, by a rewind too, is the one it stands for."""
        then, now = self.then, self.now
        if then is None or now is None or _is_going(now):
            return False
        if objects.uid(then) == objects.uid(now):
            return True
        return self.resource == kinds.POD.prefix and _anywhere(then) == _anywhere(now)


def decide(events: Sequence[Event], settled: Collection[str], fresh: Fresh) -> Plan:
    """`events` are all since the moment; keys in `settled` have been written back already."""
    changed = [one for one in _changed(events) if one.resource not in _LEFT_ALONE and not _is_derived(one)]
    new = {objects.uid(_parsed(event.value)) for event in events if event.before is None}
    new -= {objects.uid(one.then) for one in changed if one.then is not None}  # what was brought back
    lost = {objects.uid(one.then) for one in changed if one.then is not None and not one.is_same}
    ending = {objects.name(now) for one, now in _there(changed) if one.resource == _NAMESPACES and _is_going(now)}
    puts: list[Put] = []
    taken: list[str] = []
    for one in changed:
        if one.key in settled or one.then is None or _is_going(one.then):
            continue
        is_ending = objects.namespace(one.then) in ending  # what is written into it now is deleted with it
        if one.is_same and not is_ending:
            puts += _changed_back(one, one.then)
        elif not _comes_back(one.resource, one.then, lost):
            continue
        elif one.now is None and not is_ending:
            puts.append(_put(one, _made_anew(one.then, fresh) if one.resource == kinds.POD.prefix else one.then))
        else:
            taken.append(one.key)
    there = [(one, now) for one, now in _there(changed) if one.key not in settled]
    unwanted = [_unwanted(now) for one, now in there if _is_unwanted(one, now, new)]
    return Plan(sorted(puts, key=lambda put: (not put.key.startswith(_FIRST), put.key)), unwanted, taken)


def _changed(events: Iterable[Event]) -> Iterator[_Key]:
    first: dict[str, Event] = {}
    last: dict[str, Event] = {}
    for event in events:
        first.setdefault(event.key, event)
        last[event.key] = event
    for key, event in last.items():
        before = first[key].before
        then = None if before is None else _parsed(before.value)
        yield _Key(key, then, None if event.deleted else _parsed(event.value), 0 if event.deleted else event.revision)


def _there(changed: Iterable[_Key]) -> Iterator[tuple[_Key, Object]]:
    return ((one, one.now) for one in changed if one.now is not None)


def _comes_back(resource: str, then: Object, lost: Collection[str]) -> bool:
    if resource == kinds.NODE.prefix:
        return False
    controller = owners.controller_uid(then)
    return not controller or (controller in lost and resource != kinds.POD.prefix)


def _changed_back(one: _Key, then: Object) -> Iterator[Put]:
    """What was wanted then, in the state that there is now; nothing where the same is wanted."""
    now = one.now
    assert now is not None
    if objects.uid(now) != objects.uid(then) or (owners.controller_uid(then) and one.resource != kinds.POD.prefix):
        return
    wanted = {field: value for field, value in then.items() if field != "status"}
    if one.resource == kinds.NODE.prefix:  # its annotations tell of the machine
        labels = {"labels": objects.labels(then)} if objects.labels(then) else {}
        wanted["metadata"] = {name: now["metadata"][name] for name in now["metadata"] if name != "labels"} | labels
    if _without_versions(wanted) == _without_versions({field: now[field] for field in now if field != "status"}):
        return
    if "status" in now:
        wanted["status"] = now["status"]
    meta = {**wanted["metadata"]}
    if "generation" in now["metadata"]:
        meta["generation"] = now["metadata"]["generation"] + (then.get("spec") != now.get("spec"))
    yield _put(one, {**wanted, "metadata": meta})


def _made_anew(pod: Object, fresh: Fresh) -> Object:
    """As it was before it had a node; under its old uid it would be taken for one whose containers are known."""
    meta = {**pod["metadata"], "uid": fresh.uid(), "creationTimestamp": fresh.now}
    status = {"phase": "Pending", "qosClass": pod["status"]["qosClass"]}
    return {**pod, "metadata": meta, "spec": _anywhere(pod), "status": status}


def _anywhere(pod: Object) -> Object:
    """What is wanted of a pod, wherever it runs."""
    return {name: value for name, value in pod["spec"].items() if name != "nodeName"}


def _without_versions(obj: Object) -> Object:
    """Without what writes and controllers count."""
    meta = {name: value for name, value in obj["metadata"].items() if name not in _VARYING}
    kept = {name: value for name, value in objects.annotations(obj).items() if name not in _COUNTED}
    return {**obj, "metadata": {**meta, "annotations": kept}}


def _is_unwanted(one: _Key, now: Object, new: Collection[str]) -> bool:
    if objects.uid(now) not in new or one.is_same or _is_going(now) or one.resource in _GO_WITH_OTHERS:
        return False
    return not owners.controller_uid(now)  # what has one goes with it, or stays as long as it does


def _unwanted(now: Object) -> Unwanted:
    return Unwanted(now["apiVersion"], now["kind"], objects.namespace(now), objects.name(now), objects.uid(now))


def _is_derived(one: _Key) -> bool:
    either = one.then or one.now
    return either is not None and any(label in objects.labels(either) for label in _DERIVED)


def _is_going(obj: Object) -> bool:
    return objects.is_terminating(obj)


def _put(one: _Key, wanted: Object) -> Put:
    head = f'{{"kind":"{wanted["kind"]}","apiVersion":"{wanted["apiVersion"]}","metadata":{{'.encode() + _VERSION
    return Put(one.key, head, keys.tail(wanted), one.revision)


def _parsed(value: bytes) -> Object:
    return cast(Object, orjson.loads(value))
