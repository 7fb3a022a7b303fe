"""A Deployment never asks for more than replicas + maxSurge, nor goes below replicas - maxUnavailable, by its own doing.

Looked at where its controller changes the size of a ReplicaSet. What the controller saw may be as old as a cache can be, so
what the Deployment and its ReplicaSets were within that time counts in its favour.
"""

from collections.abc import Iterator, Sequence

from steersman.api import kinds
from steersman.apiserver import keys
from steersman.controllers.deployment import sizes
from steersman.meta import objects, owners
from steersman.meta.objects import Object
from steersman.simulation.history import Change, History, is_of

# A cache may be this far behind: what is on its way when a partition begins arrives when it ends.
BEHIND_SECONDS_MAX = 60.0
CONTROLLER = "system:kube-controller-manager"


def check(history: History, change: Change) -> Iterator[str]:
    if not is_of(change, kinds.REPLICA_SET) or change.after is None or change.cause.who != CONTROLLER:
        return
    was = sizes.wanted(change.before) if change.before is not None else 0
    now = sizes.wanted(change.after)
    owner = owners.controller_of(change.after)
    if was == now or owner is None:
        return
    namespace = objects.namespace(change.after)
    versions = history.versions(keys.key(kinds.DEPLOYMENT, namespace, owner["name"]), change.at - BEHIND_SECONDS_MAX)
    versions = [one for one in versions if objects.uid(one) == owner["uid"]]
    if not versions:
        return  # gone long ago: the garbage collector's business
    siblings = history.world.owned_by(owner["uid"], kinds.REPLICA_SET)
    if now > was:
        yield from _too_many(change, versions, siblings)
    else:
        yield from _too_few(history, change, versions, siblings, now)


def _too_many(change: Change, versions: Sequence[Object], siblings: Sequence[Object]) -> Iterator[str]:
    most = max(sizes.limits(one).maximum for one in versions)
    total = sum(sizes.wanted(one) for one in siblings)
    if total > most:
        yield f"{change.key}: its Deployment now asks for {total} pods, more than {most}"


def _too_few(
    history: History, change: Change, versions: Sequence[Object], siblings: Sequence[Object], now: int
) -> Iterator[str]:
    if any(not sizes.is_rolling(one) for one in versions):
        return
    least = min(sizes.limits(one).minimum for one in versions)
    left, taken = 0, 0
    for one in siblings:
        key = keys.key(kinds.REPLICA_SET, objects.namespace(one), objects.name(one))
        seen = [*map(sizes.available, history.versions(key, change.at - BEHIND_SECONDS_MAX))]
        if one is change.after:
            taken = max(0, min(seen) - now)  # none, if it may have seen so few available that it took only others
            left += min(max(seen), now)
        else:
            left += max(seen, default=0)
    if taken and left < least:
        yield f"{change.key}: scaled down to {now}, which leaves {left} available pods of its Deployment; at least {least} must be"
