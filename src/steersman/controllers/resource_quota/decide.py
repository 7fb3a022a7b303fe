"""Count what the objects of a namespace use of each of its quotas, and put right what stands in the quota.

Reads: ResourceQuota, everything in its namespace that it counts.  Writes: ResourceQuota status (`hard`, `used`).
Leaves to others: counting what is created (admission does it in the write itself, so that a quota is never exceeded).

The quota is read before the objects: whatever is created in between changes the quota too, and this count is refused.
"""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

from steersman.api import kinds
from steersman.api.quotas import charge, evaluators, lists
from steersman.controllers import decision
from steersman.controllers.decision import Decision
from steersman.meta import objects
from steersman.meta.objects import Object

Resource = tuple[str, str]  # group and plural

AGAIN_SECONDS = (
    300.0  # upstream's --resource-quota-sync-period: what only time changes (pods that never end) is counted then
)


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`contents` of the namespace, of every kind that the quota is about."""

    quota: Object
    contents: Mapping[Resource, Sequence[Object]]
    now: datetime.datetime


def decide(seen: Seen) -> Decision:
    if objects.is_terminating(seen.quota):
        return Decision(why="being deleted")
    told = decision.with_status(kinds.RESOURCE_QUOTA, seen.quota, status(seen))
    return Decision(told, "what it says is not what is used" if told else "right", AGAIN_SECONDS)


def status(seen: Seen) -> Object:
    """What nobody counts (kinds that are not served) keeps what it was."""
    hard = (seen.quota.get("spec") or {}).get("hard") or {}
    before = (seen.quota.get("status") or {}).get("used") or {}
    used = {name: amount for name, amount in before.items() if name in hard}
    for (group, plural), found in seen.contents.items():
        evaluator = evaluators.of(group, plural)
        assert evaluator is not None, "only counted kinds are looked at"
        amounts = charge.usage(seen.quota, evaluator, found, seen.now)
        # The same amount may be written in several ways: what stands there is not changed for that.
        known = lists.parse({name: used[name] for name in amounts if name in used})
        used |= lists.format({name: amount for name, amount in amounts.items() if known.get(name) != amount})
    return {"hard": dict(hard), "used": used}
