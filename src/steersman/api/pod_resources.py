"""What the containers of a pod ask for together, and what a pod may ask for as a whole (KEP-2837). Pure."""

from collections.abc import Iterator

from steersman.meta import quantities
from steersman.meta.objects import Object

OF_PODS = ("cpu", "hugepages-", "memory")
SHARED = ("cpu", "memory")  # of these, less may be asked for than may be used


def is_of_pods(name: str) -> bool:
    return name in SHARED or name.startswith(OF_PODS[1])


def aggregate_requests(spec: Object) -> dict[str, str]:
    """What the containers ask for together: the main ones and sidecars at once, or the greatest need of an init container."""
    found = {}
    for name in {name for one in _all_containers(spec) for name in _requests(one)}:
        sidecars = peak = 0
        for one in spec.get("initContainers") or ():
            nanos = _nanos(one, name)
            if one.get("restartPolicy") == "Always":
                sidecars += nanos
                nanos = 0
            peak = max(peak, sidecars + nanos)
        mains = sum(_nanos(one, name) for one in spec.get("containers") or ())
        form = next(
            quantities.parse(_requests(one)[name]).form for one in _all_containers(spec) if name in _requests(one)
        )
        found[name] = quantities.format(quantities.Quantity(max(peak, sidecars + mains), form))
    return found


def _all_containers(spec: Object) -> Iterator[Object]:
    yield from spec.get("containers") or ()
    yield from spec.get("initContainers") or ()


def _requests(container: Object) -> Object:
    return (container.get("resources") or {}).get("requests") or {}


def _nanos(container: Object, name: str) -> int:
    return quantities.parse(_requests(container).get(name, "0")).nanos
