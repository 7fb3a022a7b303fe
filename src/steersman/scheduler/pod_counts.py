"""Per node, how many pods there are of those that someone's affinity or spreading speaks of."""

from steersman.meta.selectors import Selector
from steersman.scheduler.affinity_terms import Who
from steersman.scheduler.counts import HeldTerm, PerNode
from steersman.scheduler.shape import Group
from steersman.scheduler.snapshot import Snapshot


def who_matches(snapshot: Snapshot, who: Who, group: Group) -> bool:
    return who.matches(group.namespace, group.labels, snapshot.labels_of)


def of_all(snapshot: Snapshot, whos: tuple[Who, ...]) -> PerNode:
    """Pods that every one of `whos` speaks of."""

    def matches(group: Group) -> bool:
        return all(who_matches(snapshot, who, group) for who in whos)

    return snapshot.counts.tally(("all of", whos), matches, with_terminating=True)


def holding(snapshot: Snapshot, held: HeldTerm) -> PerNode:
    """Pods that say this about other pods."""
    role, term = held

    def matches(group: Group) -> bool:
        return term in getattr(group.terms, role)

    return snapshot.counts.tally(("holding", held), matches, with_terminating=True)


def selected(snapshot: Snapshot, namespace: str, selector: Selector) -> PerNode:
    """Pods of the namespace, terminating ones left out."""

    def matches(group: Group) -> bool:
        return group.namespace == namespace and selector.matches(group.labels)

    return snapshot.counts.tally(("selected", namespace, selector), matches)


def owned(snapshot: Snapshot, namespace: str, owner_uid: str) -> PerNode:
    """Pods of one controller, terminating ones left out."""

    def matches(group: Group) -> bool:
        return group.namespace == namespace and group.owner_uid == owner_uid

    return snapshot.counts.tally(("owned", namespace, owner_uid), matches)
