"""Which of the node's thresholds are crossed, which conditions stand for that, and on which to act now. Pure.

The same steps in the same order as upstream's kubelet/eviction/eviction_manager.go (synchronize): a soft threshold acts once it
was crossed for its grace period; one that acted counts as crossed until its minimum reclaim is back, too; a condition stays
for the transition period after its last threshold.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from steersman.kubelet.eviction import conditions
from steersman.kubelet.eviction.observations import Observation, Observations
from steersman.kubelet.eviction.thresholds import ALLOCATABLE_MEMORY, MEMORY, Threshold


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """`acting`: thresholds that acted and are not yet resolved. `crossed_at`: since when, `seen_at`: condition → last time."""

    acting: tuple[Threshold, ...] = ()
    crossed_at: Mapping[Threshold, float] = dataclasses.field(default_factory=dict)
    seen_at: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """`due`: thresholds to act on, the most urgent first."""

    state: State
    standing: frozenset[str] = frozenset()
    due: tuple[Threshold, ...] = ()


def decide(
    state: State, known: Sequence[Threshold], seen: Observations, now_seconds: float, transition_seconds: float
) -> Decision:
    crossed = list(crossed_of(known, seen))
    crossed += [one for one in crossed_of(state.acting, seen, reclaiming=True) if one not in crossed]
    crossed_at = {one: state.crossed_at.get(one, now_seconds) for one in crossed}
    seen_at = {**state.seen_at, **{conditions.of_signal(one.signal): now_seconds for one in crossed}}
    standing = frozenset(name for name, at in seen_at.items() if now_seconds - at < transition_seconds)
    due = [one for one, at in crossed_at.items() if now_seconds - at >= one.grace_seconds]
    return Decision(State(tuple(due), crossed_at, seen_at), standing, tuple(sorted(due, key=_is_less_urgent)))


def crossed_of(known: Iterable[Threshold], seen: Observations, *, reclaiming: bool = False) -> Iterable[Threshold]:
    """`reclaiming`: what is to be won back counts, too."""
    return [one for one in known if one.signal in seen and _is_crossed(one, seen[one.signal], reclaiming=reclaiming)]


def _is_crossed(one: Threshold, found: Observation, *, reclaiming: bool) -> bool:
    more = one.reclaim.of(found.capacity) if reclaiming else 0
    return found.available < one.least.of(found.capacity) + more


def _is_less_urgent(one: Threshold) -> bool:
    """Memory first: it kills soonest."""
    return one.signal not in (MEMORY, ALLOCATABLE_MEMORY)
