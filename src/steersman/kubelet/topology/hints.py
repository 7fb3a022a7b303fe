"""Where resources of one container could lie close together: hints of each resource, merged by the topology manager's policy. Pure.

Source: upstream's kubelet/cm/topologymanager. Upstream goes through every combination of hints and keeps the best so far; its
order is total, so here the combinations are folded into the few different results, of which the least is taken.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from steersman.kubelet.topology.hardware import Hardware, Nodes

NONE, BEST_EFFORT, RESTRICTED, SINGLE = "none", "best-effort", "restricted", "single-numa-node"
POLICIES = (NONE, BEST_EFFORT, RESTRICTED, SINGLE)
SCOPES = ("container", "pod")
NODES_MOST = 8  # more would be too many combinations (upstream's max-allowable-numa-nodes)


class Hint(NamedTuple):
    """`nodes` None: any of them."""

    nodes: Nodes | None
    preferred: bool


# By resource; None: it does not matter where; an empty list: nowhere. No resource at all: it does not matter either.
Hints = Mapping[str, Sequence[Hint] | None]
ANYWHERE, NOWHERE = Hint(None, preferred=True), Hint(None, preferred=False)


def sets_of_nodes(nodes: Iterable[int]) -> Iterator[Nodes]:
    """All of them, small ones first, lower numbers first."""
    numbers = sorted(nodes)
    for count in range(1, len(numbers) + 1):
        yield from map(frozenset, itertools.combinations(numbers, count))


def generate(among: Iterable[int], is_enough: Callable[[Nodes], bool], fits: Callable[[Nodes], bool]) -> list[Hint]:
    """One for each set of nodes where it `fits` now; preferred are those as small as any where all there is would be `enough`."""
    every = list(sets_of_nodes(among))
    least = min((len(nodes) for nodes in every if is_enough(nodes)), default=max(map(len, every), default=0))
    return [Hint(nodes, len(nodes) == least) for nodes in every if fits(nodes)]


def merge(policy: str, hints: Iterable[Hints], hardware: Hardware, *, closest: bool = False) -> tuple[Hint, bool]:
    """(where, whether the pod is admitted). `closest`: of sets as small as each other the one whose nodes are near (the option
    prefer-closest-numa-nodes)."""
    everywhere = frozenset(hardware.nodes)
    lists = list(_lists(hints))
    if policy == SINGLE:
        lists = [[one for one in found if _is_single(one)] for found in lists]
    best = _best(lists, hardware, closest=closest)
    if best is None:
        best = Hint(everywhere, preferred=False)
    if policy == SINGLE and best.nodes == everywhere:
        best = Hint(None, best.preferred)
    return best, best.preferred or policy not in (RESTRICTED, SINGLE)


def _lists(hints: Iterable[Hints]) -> Iterator[Sequence[Hint]]:
    for by_resource in hints:
        if not by_resource:
            yield [ANYWHERE]
        for found in by_resource.values():
            yield [ANYWHERE] if found is None else found or [NOWHERE]


def _is_single(hint: Hint) -> bool:
    return hint.preferred and (hint.nodes is None or len(hint.nodes) == 1)


def _best(lists: Sequence[Sequence[Hint]], hardware: Hardware, *, closest: bool) -> Hint | None:
    def order(hint: Hint) -> tuple[float, ...]:
        nodes = hint.nodes or frozenset()
        distance = hardware.mean_distance(nodes) if closest else 0.0
        near = distance, float(sum(1 << node for node in nodes))
        if hint.preferred:
            return (0, len(nodes), *near)
        if len(nodes) <= wished:  # as many nodes as the most demanding resource needs, or nearly as many
            return (1, -len(nodes), *near)
        return (2, len(nodes), *near)

    wished = max((_fewest_nodes(found) for found in lists), default=0)
    return min((hint for hint in _combined(lists, frozenset(hardware.nodes)) if hint.nodes), key=order, default=None)


def _fewest_nodes(found: Sequence[Hint]) -> int:
    return min((len(hint.nodes) for hint in found if hint.nodes is not None), default=0)


def _combined(lists: Sequence[Sequence[Hint]], everywhere: Nodes) -> set[Hint]:
    """What is common to one hint of each list, for all choices; preferred only if all are, and all who say where say the same."""
    results: set[Hint] = {ANYWHERE}
    for found in lists:
        results = {_both(one, other) for one in results for other in found}
    return {Hint(everywhere if one.nodes is None else one.nodes, one.preferred) for one in results}


def _both(one: Hint, other: Hint) -> Hint:
    preferred = one.preferred and other.preferred
    if one.nodes is None or other.nodes is None:
        return Hint(other.nodes if one.nodes is None else one.nodes, preferred)
    return Hint(one.nodes & other.nodes, preferred and one.nodes == other.nodes)
