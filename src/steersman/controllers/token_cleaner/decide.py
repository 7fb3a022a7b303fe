"""Delete bootstrap tokens that have expired.

Reads: Secrets of type `bootstrap.kubernetes.io/token` in kube-system.  Writes: deletes them.
Leaves to others: refusing an expired token (the API server does at once).
"""

import dataclasses
import datetime

from steersman.api import bootstrap_tokens, kinds
from steersman.controllers import decision
from steersman.controllers.decision import Decision
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    secret: Object
    now: datetime.datetime


def decide(seen: Seen) -> Decision:
    """One that does not say when it ends stays; one that says it in no readable way has ended, as upstream sees it."""
    try:
        end = bootstrap_tokens.expiration(seen.secret)
    except ValueError:
        end = seen.now
    if end is None:
        return Decision(why="has no end")
    left = (end - seen.now).total_seconds()
    if left > 0:
        return Decision(why="good still", again_after_seconds=left)
    return Decision((decision.delete(kinds.SECRET, seen.secret),), "expired")
