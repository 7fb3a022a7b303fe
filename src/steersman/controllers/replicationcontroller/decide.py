"""Keep the number of pods of a ReplicationController at its wanted count.

It is a ReplicaSet of old, with a plain map for a selector: the decision is that of ReplicaSets, made on a
ReplicationController that is shown in their form, and written back in its own.
"""

import dataclasses

from steersman.api import kinds
from steersman.controllers import decision
from steersman.controllers.decision import Action, Decision, UpdateStatus
from steersman.controllers.replicaset import decide as of_replica_sets
from steersman.controllers.replicaset.decide import Seen
from steersman.meta.objects import Object

_UNKNOWN = frozenset(("terminatingReplicas",))  # what a ReplicationController's status does not have


def as_replica_set(controller: Object) -> Object:
    return {
        **controller,
        "spec": {**controller["spec"], "selector": {"matchLabels": controller["spec"].get("selector")}},
    }


def decide(seen: Seen) -> Decision:
    """`seen` holds the ReplicationController in a ReplicaSet's form."""
    found = of_replica_sets.decide(seen)
    return dataclasses.replace(found, actions=tuple(one for action in found.actions for one in _own(action, seen)))


def _own(action: Action, seen: Seen) -> tuple[Action, ...]:
    if not isinstance(action, UpdateStatus):
        return (action,)
    status = {field: value for field, value in action.obj["status"].items() if field not in _UNKNOWN}
    spec = seen.replica_set["spec"]
    own = {**seen.replica_set, "spec": {**spec, "selector": spec["selector"]["matchLabels"]}}
    return decision.with_status(kinds.REPLICATION_CONTROLLER, own, status, action.when)
