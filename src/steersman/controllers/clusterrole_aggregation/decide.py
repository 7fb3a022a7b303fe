"""Give aggregated ClusterRoles the rules of the roles they select.

Reads: ClusterRoles.  Writes: `rules` of those with an `aggregationRule`.
"""

import dataclasses
from collections.abc import Sequence

from steersman.api import aggregation, kinds
from steersman.controllers import decision
from steersman.controllers.decision import Decision
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    role: Object
    roles: Sequence[Object]


def decide(seen: Seen) -> Decision:
    rules = aggregation.rules(seen.role, seen.roles)
    if rules == (seen.role.get("rules") or []):
        return Decision(why="has the rules it selects")
    return Decision((decision.patch(kinds.CLUSTER_ROLE, seen.role, {"rules": rules}),), f"selects {len(rules)} rules")
