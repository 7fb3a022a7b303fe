"""A ReplicaSet never has more pods than it wants by its own doing: looked at where its controller creates one."""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.apiserver import keys
from steersman.controllers.deployment import sizes
from steersman.meta import objects, owners
from steersman.simulation.history import Change, History, is_of, pod_counts
from steersman.simulation.invariants import terms
from steersman.simulation.invariants.deployments import BEHIND_SECONDS_MAX, CONTROLLER


def check(history: History, change: Change) -> Iterator[str]:
    if not is_of(change, kinds.POD) or change.before is not None or change.after is None:
        return
    owner = owners.controller_of(change.after)
    if owner is None or owner["kind"] != "ReplicaSet" or change.cause.who != CONTROLLER:
        return
    key = keys.key(kinds.REPLICA_SET, objects.namespace(change.after), owner["name"])
    versions = history.versions(key, change.at - BEHIND_SECONDS_MAX)
    most = max((sizes.wanted(one) for one in versions if objects.uid(one) == owner["uid"]), default=None)
    have = sum(pod_counts(pod) for pod in history.world.owned_by(owner["uid"], kinds.POD))
    if most is not None and have > most and not terms.has_begun_lately(history, change.at):
        yield f"{change.key}: {have} pods of replicaset {owner['name']}, which never wanted more than {most}"
