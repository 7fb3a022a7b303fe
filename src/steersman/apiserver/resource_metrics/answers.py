"""get and list of NodeMetrics and PodMetrics (metrics.k8s.io/v1beta1)."""

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from steersman.aio import clock as clocks
from steersman.api import kinds
from steersman.api.kind import Column, Kind, Kinds
from steersman.api.printing import cells
from steersman.api.quotas import lists
from steersman.apiserver import decoded, negotiation, selection, shapes
from steersman.apiserver.call import Call
from steersman.apiserver.resource_metrics import kubelets
from steersman.apiserver.resource_metrics.usage import Key, Reading, Use
from steersman.apiserver.subresources import kubelet
from steersman.meta import errors, objects, times
from steersman.meta.objects import Object
from steersman.serving import messages

GROUP = "metrics.k8s.io"
_READS = ("get", "list")


def _row(obj: Object, now: datetime.datetime) -> list[Any]:
    used = obj.get("usage") or _total(one["usage"] for one in obj.get("containers") or ())
    return [cells.name(obj), used.get("cpu", "0"), used.get("memory", "0"), obj.get("window", "")]


_COLUMNS = (
    cells.NAME,
    Column("cpu", description="The CPU usage, in cores."),
    Column("memory", description="The memory usage, in bytes."),
    Column("Window", format="duration", description="The time over which CPU usage is the average."),
)

NODES = Kind(GROUP, "v1beta1", "NodeMetrics", "nodes", "", namespaced=False, verbs=_READS, columns=_COLUMNS, cells=_row)
PODS = Kind(GROUP, "v1beta1", "PodMetrics", "pods", "", verbs=_READS, columns=_COLUMNS, cells=_row)
KINDS = Kinds((NODES, PODS))


class ResourceMetrics:
    def __init__(
        self,
        objects_: decoded.DecodedObjects,
        connector: kubelet.KubeletConnector | None,
        clock: clocks.Clock,
        shaper: shapes.Shaper,
    ) -> None:
        self._objects = objects_
        self._clock = clock
        self._shaper = shaper
        self._looks = kubelets.Looks(kubelet.Kubelets(objects_, connector), clock)

    async def answer(self, call: Call) -> messages.Response:
        """Raises StatusError 404 for what is not there, or not known yet."""
        selected = selection.of(call)
        find = self._nodes if call.kind is NODES else self._pods
        found = await find(call, selected)
        if not call.target.name:
            return self._shaper.many(call, found, {})
        if not found:
            place = f"{call.target.namespace}/" if call.target.namespace else ""
            raise errors.not_found(call.kind.kind.lower(), place + call.target.name, GROUP)
        return negotiation.respond(call.form, self._shaper.shape(call, found[0]), pretty=call.pretty)

    async def _nodes(self, call: Call, selected: selection.Selection) -> list[Object]:
        every = await self._objects.list(kinds.NODE)
        self._looks.forget_all_but(map(objects.name, every))
        wanted = _wanted(call, selected, every)
        looks = await self._looks.of(map(objects.name, wanted))
        return [
            node_metrics(node, *looks[objects.name(node)], self._clock.now())
            for node in wanted
            if objects.name(node) in looks
        ]

    async def _pods(self, call: Call, selected: selection.Selection) -> list[Object]:
        if call.target.name:
            one = await self._objects.get(kinds.POD, call.target.namespace, call.target.name)
            every = [one] if one is not None else []
        else:
            every = await self._objects.list(kinds.POD, call.target.namespace)
        wanted = [pod for pod in _wanted(call, selected, every) if _is_running(pod)]
        looks = await self._looks.of(pod["spec"]["nodeName"] for pod in wanted)
        found = (
            pod_metrics(pod, *looks[pod["spec"]["nodeName"]], self._clock.now())
            for pod in wanted
            if pod["spec"]["nodeName"] in looks
        )
        return [one for one in found if one is not None]


def node_metrics(node: Object, reading: Reading, uses: Mapping[Key, Use], now: datetime.datetime) -> Object:
    """What all its containers use, and its kubelet."""
    window = max((one.window_seconds for one in uses.values()), default=0.0)
    whole = Use(sum(one.cores for one in uses.values()), sum(one.memory_bytes for one in uses.values()), window)
    return {**_start(NODES, node, reading, window, now), "usage": whole.amounts()}


def pod_metrics(pod: Object, reading: Reading, uses: Mapping[Key, Use], now: datetime.datetime) -> Object | None:
    """None while not all of its running containers are known."""
    place = objects.namespace(pod), objects.name(pod)
    running = [key[2] for key in reading.counters if key[:2] == place]
    if not running or any((*place, name) not in uses for name in running):
        return None
    found = {name: uses[(*place, name)] for name in running}
    window = max(one.window_seconds for one in found.values())
    containers = [{"name": name, "usage": one.amounts()} for name, one in found.items()]
    return {**_start(PODS, pod, reading, window, now), "containers": containers}


def _start(kind: Kind, obj: Object, reading: Reading, window: float, now: datetime.datetime) -> Object:
    meta: Object = {"name": objects.name(obj)}
    if kind.namespaced:
        meta["namespace"] = objects.namespace(obj)
    meta["creationTimestamp"] = times.format_seconds(now)
    if objects.labels(obj):
        meta["labels"] = objects.labels(obj)
    return {
        "kind": kind.kind,
        "apiVersion": kind.api_version,
        "metadata": meta,
        "timestamp": times.format_seconds(reading.at),
        "window": _duration(window),
    }


def _duration(seconds: float) -> str:
    """As Go writes one: `15.023s`, `1m2.5s`."""
    minutes, rest = divmod(round(seconds, 3), 60)
    text = f"{rest:.3f}".rstrip("0").rstrip(".")
    return f"{int(minutes)}m{text}s" if minutes else f"{text}s"


def _total(listed: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return lists.format(lists.total(map(lists.parse, listed)))


def _wanted(call: Call, selected: selection.Selection, every: list[Object]) -> list[Object]:
    name = call.target.name
    return [one for one in every if (not name or objects.name(one) == name) and selected.matches(one)]


def _is_running(pod: Object) -> bool:
    return bool((pod.get("spec") or {}).get("nodeName")) and (pod.get("status") or {}).get("phase") == "Running"
