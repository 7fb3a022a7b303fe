"""From the objects of a cluster that runs to the beginning of one on paper. Pure.

Keeps true: what is wanted is the same; pods stand on the nodes where they stand.
What cannot be on paper is left out: webhooks and extension servers, mirrors of static pods, attachments, leases, events.
Pods that run are started again on their nodes before anything happens: what they did until then is not known.
"""

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import keys
from steersman.containers import fake_behaviour, runtime
from steersman.containers.fake_behaviour import Behaviour
from steersman.meta import conditions, objects, owners, times
from steersman.meta.objects import Object
from steersman.store.contract import Put
from steersman.testing.fake_node import FakeNode

START_SECONDS_MAX = 600.0
_NOT_ON_PAPER = frozenset(
    kind.prefix
    for kind in (
        *(kinds.EVENT, kinds.LEASE, kinds.CSI_NODE, kinds.VOLUME_ATTACHMENT, kinds.API_SERVICE),
        *(kinds.MUTATING_WEBHOOK_CONFIGURATION, kinds.VALIDATING_WEBHOOK_CONFIGURATION),
        *(kinds.SERVICE_CIDR, kinds.IP_ADDRESS),
    )
)
_MIRROR = "kubernetes.io/config.mirror"
_ENDED = ("Succeeded", "Failed")


@dataclasses.dataclass(frozen=True, slots=True)
class Listed:
    """A kind as it is stored, and its objects. `plural` and `group` also of custom kinds."""

    group: str
    plural: str
    items: Iterable[Object]


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """`labels` of the nodes that were Ready; the others stay as they were."""

    puts: list[Put]
    nodes: tuple[FakeNode, ...]
    labels: Mapping[str, Mapping[str, str]]


def kinds_to_list() -> list[Kind]:
    """Built-in kinds in the version in which they are stored."""
    return [
        row
        for row in kinds.BUILTIN
        if row.storage is None and "list" in row.verbs and "create" in row.verbs and row.prefix not in _NOT_ON_PAPER
    ]


def take(listed: Iterable[Listed], heartbeat_seconds: float) -> Taken:
    found = {(one.group, one.plural): list(one.items) for one in listed}
    pods = found.get(("", "pods"), [])
    script = _script(_start_seconds(pods))
    alive = {objects.name(node): node for node in found.get(("", "nodes"), []) if conditions.is_true(node, "Ready")}
    puts = [
        _put(group, plural, obj)
        for (group, plural), items in found.items()
        for obj in _on_paper(group, plural, items, alive)
    ]
    nodes = tuple(
        FakeNode(name, node["status"]["capacity"], script=script, heartbeat_seconds=heartbeat_seconds)
        for name, node in alive.items()
    )
    return Taken(puts, nodes, {name: objects.labels(node) for name, node in alive.items()})


def _on_paper(group: str, plural: str, items: Iterable[Object], alive: Collection[str]) -> Iterator[Object]:
    for obj in items:
        if (group, plural) == ("", "pods"):
            if _MIRROR not in objects.annotations(obj):
                yield _not_started(obj) if obj["spec"].get("nodeName", "") in (*alive, "") else obj
        elif (group, plural) == ("", "nodes"):
            yield _fresh_node(obj) if objects.name(obj) in alive else obj
        else:
            yield obj


def _not_started(pod: Object) -> Object:
    status = pod.get("status") or {}
    if status.get("phase") in _ENDED or objects.is_terminating(pod):
        return pod
    placed = [one for one in status.get("conditions") or () if one["type"] == "PodScheduled"]
    return {**pod, "status": {"phase": "Pending", "qosClass": status.get("qosClass"), "conditions": placed}}


def _fresh_node(node: Object) -> Object:
    """Its network is another one on paper; how it is, its kubelet there says."""
    spec = {name: value for name, value in node["spec"].items() if name not in ("podCIDR", "podCIDRs")}
    return {**node, "spec": spec, "status": {}}


def _put(group: str, plural: str, obj: Object) -> Put:
    place = f"{objects.namespace(obj)}/{objects.name(obj)}" if objects.namespace(obj) else objects.name(obj)
    head = f'{{"kind":"{obj["kind"]}","apiVersion":"{obj["apiVersion"]}","metadata":{{"resourceVersion":"'
    return Put(f"/{group or 'core'}/{plural}/{place}", head.encode(), keys.tail(obj), 0)


def _start_seconds(pods: Iterable[Object]) -> Mapping[tuple[str, str], float]:
    """By namespace and controller's name: how long the slowest of its pods took from its start until it was ready."""
    slowest: dict[tuple[str, str], float] = {}
    for pod in pods:
        controller = owners.controller_of(pod)
        ready = conditions.get(pod, "Ready")
        began = (pod.get("status") or {}).get("startTime")
        restarts = sum(one.get("restartCount", 0) for one in (pod.get("status") or {}).get("containerStatuses") or ())
        if controller is None or ready is None or ready["status"] != "True" or not began or restarts:
            continue
        took = times.seconds_since(began, times.parse(ready["lastTransitionTime"]))
        key = objects.namespace(pod), str(controller["name"])
        slowest[key] = max(slowest.get(key, 0.0), min(max(0.0, took), START_SECONDS_MAX))
    return slowest


def _script(seconds: Mapping[tuple[str, str], float]) -> fake_behaviour.Script:
    """Containers start as slowly as those of their controller did; annotations have the last word."""

    def script(sandbox: runtime.SandboxConfig, container: runtime.ContainerConfig) -> Behaviour:
        told = fake_behaviour.from_annotations(sandbox, container)
        took = seconds.get((sandbox.namespace, sandbox.name.rpartition("-")[0]), 0.0)
        return told if told.start_delay_seconds else dataclasses.replace(told, start_delay_seconds=took)

    return script
