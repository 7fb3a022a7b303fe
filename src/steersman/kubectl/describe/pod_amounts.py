"""What a pod asks for and may use in all, its containers, sidecars, overhead and a resize under way included."""

from collections.abc import Mapping
from typing import Any

from steersman.api import pod_resources
from steersman.kubectl.describe.writing import spec, status
from steersman.meta import conditions, quantities
from steersman.meta.objects import Object
from steersman.meta.quantities import Quantity

Amounts = dict[str, Quantity]


def add(total: Amounts, more: Mapping[str, Quantity]) -> None:
    for key, value in more.items():
        total[key] = Quantity(total[key].nanos + value.nanos, total[key].form) if key in total else value


def requests(pod: Object, *, as_running: bool = True) -> Amounts:
    """`as_running`: what the node gave counts where it is more than what is written."""
    return _amounts(pod, "requests", as_running)


def limits(pod: Object, *, as_running: bool = True) -> Amounts:
    return _amounts(pod, "limits", as_running)


def _amounts(pod: Object, which: str, as_running: bool) -> Amounts:
    statuses = _statuses(pod) if as_running else {}
    total: Amounts = {}
    for container in spec(pod).get("containers") or ():
        add(total, _of_container(pod, container, which, statuses))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec(pod).get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            found = _of_container(pod, container, which, statuses)
            add(total, found)
            add(sidecars, found)
            _raise(peak, sidecars)
        else:
            together = _parsed((container.get("resources") or {}).get(which))
            add(together, sidecars)
            _raise(peak, together)
    _raise(total, peak)
    for key, value in _parsed((spec(pod).get("resources") or {}).get(which)).items():
        if pod_resources.is_of_pods(key):
            total[key] = value
    overhead = _parsed(spec(pod).get("overhead"))
    add(total, overhead if which == "requests" else {key: one for key, one in overhead.items() if key in total})
    return total


def _raise(total: Amounts, other: Amounts) -> None:
    """The greater of both."""
    for key, value in other.items():
        if key not in total or value.nanos > total[key].nanos:
            total[key] = value


def _parsed(amounts: Mapping[str, Any] | None) -> Amounts:
    return {key: quantities.parse(str(value)) for key, value in (amounts or {}).items()}


def _statuses(pod: Object) -> dict[str, Object]:
    found = [*(status(pod).get("containerStatuses") or ()), *(status(pod).get("initContainerStatuses") or ())]
    return {one.get("name", ""): one for one in found}


def _of_container(pod: Object, container: Object, which: str, statuses: Mapping[str, Object]) -> Amounts:
    wanted = _parsed((container.get("resources") or {}).get(which))
    seen = statuses.get(container.get("name", ""), {})
    if seen.get("resources") is None:
        return wanted
    pending = conditions.get(pod, "PodResizePending") or {}
    found = {} if pending.get("reason") == "Infeasible" else wanted
    _raise(found, _parsed(seen["resources"].get(which)))
    if which == "requests":
        _raise(found, _parsed(seen.get("allocatedResources")))
    return found
