"""Where the devices of one pod's containers lie, as the topology manager wants to know before plugins are asked. Pure.

Source: upstream's kubelet/cm/devicemanager/topology_hints.go.
"""

from collections.abc import Iterable, Iterator

from steersman.kubelet import devices
from steersman.kubelet.devices import Devices, Wish
from steersman.kubelet.topology import hints
from steersman.kubelet.topology.hardware import Nodes
from steersman.kubelet.topology.hints import Hint, Hints
from steersman.meta import objects
from steersman.meta.objects import Object


class Draft:
    """Which devices containers would get, one after the other; plugins may choose others on the same nodes later."""

    def __init__(self, known: Devices, pod: Object, nodes: Iterable[int]) -> None:
        self._devices = known
        self._nodes = tuple(nodes)
        self._wishes = devices.wishes(pod, known.health)
        self._known = known.given.get(objects.uid(pod), {})
        self._taken: dict[str, set[str]] = {}
        self._again: dict[str, set[str]] = {}

    def hints(self, container: Object) -> Hints:
        name, found = container["name"], dict[str, list[Hint] | None]()
        for wish in self._of(name):
            own = self._known.get(name, {}).get(wish.resource)
            again = self._again.get(wish.resource, set())
            if own is not None:
                found[wish.resource] = self._hints(wish.resource, own, (), wish.count) if len(own) == wish.count else []
            else:
                found[wish.resource] = self._hints(wish.resource, self._free(wish), again, wish.count)
        return found

    def pod_hints(self) -> Hints:
        lasting, peak = dict[str, int](), dict[str, int]()
        for wish in self._wishes:
            if wish.lasts:
                lasting[wish.resource] = lasting.get(wish.resource, 0) + wish.count
            else:
                peak[wish.resource] = max(peak.get(wish.resource, 0), lasting.get(wish.resource, 0) + wish.count)
        wanted = {name: max(lasting.get(name, 0), peak.get(name, 0)) for name in {**lasting, **peak}}
        found = {}
        for name, count in wanted.items():
            own = {one for given in self._known.values() for one in given.get(name, ())}
            found[name] = (
                self._hints(name, own, (), count)
                if len(own) == count
                else self._hints(name, self._devices.free(name), own, count)
            )
        return found

    def allocate(self, container: Object, hint: Hint, *, once: bool) -> None:
        """On paper only: those near first."""
        for wish in self._of(container["name"]):
            again = self._again.setdefault(wish.resource, set())
            free = [*sorted(again), *self._free(wish)]
            near, other = self._devices.by_nearness(wish.resource, free, hint.nodes)
            chosen = [*near, *other][: wish.count]
            self._taken.setdefault(wish.resource, set()).update(chosen)
            self._again[wish.resource] = again | set(chosen) if once else again - set(chosen)

    def _of(self, container: str) -> Iterator[Wish]:
        return (wish for wish in self._wishes if wish.container == container)

    def _free(self, wish: Wish) -> list[str]:
        return self._devices.free(wish.resource, self._taken.get(wish.resource, ()))

    def _hints(self, resource: str, free: Iterable[str], must: Iterable[str], count: int) -> list[Hint] | None:
        places = self._devices.nodes.get(resource, {})
        if not places:
            return None  # of a plugin that does not say where its devices are
        everyone, must, free = self._devices.health.get(resource, {}), set(must), set(free)
        if len(free | must) < count:
            return []

        def number(names: Iterable[str], nodes: Nodes) -> int:
            return sum(bool(places.get(one, frozenset()) & nodes) for one in names)

        def fits(nodes: Nodes) -> bool:
            placed = {one for one in must if one in places}
            return number(placed, nodes) == len(placed) and number(free | placed, nodes) >= count

        return hints.generate(self._nodes, lambda nodes: number(everyone, nodes) >= count, fits)
