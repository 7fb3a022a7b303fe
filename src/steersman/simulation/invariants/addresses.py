"""An address belongs to one: no two Services share a cluster address or node port, no two running pods a pod address, no two
nodes a range."""

from collections.abc import Iterable, Iterator

from steersman.api import kinds
from steersman.meta.objects import Object
from steersman.simulation.history import Change, History, is_of, pod_is_over


def check(history: History, change: Change) -> Iterator[str]:
    if change.after is None:
        return
    for kind, taken in ((kinds.SERVICE, _of_service), (kinds.POD, _of_pod), (kinds.NODE, _of_node)):
        if is_of(change, kind):
            mine = set(taken(change.after))
            if change.before is not None and mine <= set(taken(change.before)):
                return
            for other in history.world.of(kind).values():
                both = mine.intersection(taken(other)) if other is not change.after else ()
                if both:
                    yield f"{change.key} and {other['metadata']['name']} both have {sorted(both)}"


def _of_service(service: Object) -> Iterable[str]:
    found = [address for address in service["spec"].get("clusterIPs") or () if address != "None"]
    ports = [f"node port {port['nodePort']}" for port in service["spec"].get("ports") or () if port.get("nodePort")]
    return [*found, *ports]


def _of_pod(pod: Object) -> Iterable[str]:
    if pod_is_over(pod) or pod["spec"].get("hostNetwork") or not _runs(pod):
        return ()
    return [one["ip"] for one in (pod.get("status") or {}).get("podIPs") or ()]


def _runs(pod: Object) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any("running" in (one.get("state") or {}) for one in statuses)


def _of_node(node: Object) -> Iterable[str]:
    return node["spec"].get("podCIDRs") or ()
