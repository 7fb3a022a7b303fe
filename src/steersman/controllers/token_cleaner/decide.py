"""Delete bootstrap tokens that have expired.

Reads: Secrets of type `bootstrap.kubernetes.io/token` in kube-system.  Writes: deletes them.
Leaves to others: refusing an expired token (the API server does at once).
"""

import base64
import binascii
import dataclasses
import datetime

from steersman.api import kinds
from steersman.controllers import decision
from steersman.controllers.decision import Decision
from steersman.meta import times
from steersman.meta.objects import Object

TYPE = "bootstrap.kubernetes.io/token"
NAMESPACE = "kube-system"


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    secret: Object
    now: datetime.datetime


def decide(seen: Seen) -> Decision:
    """One that does not say when it ends, or not in a way that can be read, stays; as upstream."""
    end = _expiration(seen.secret)
    if end is None:
        return Decision(why="has no end")
    left = (end - seen.now).total_seconds()
    if left > 0:
        return Decision(why="good still", again_after_seconds=left)
    return Decision((decision.delete(kinds.SECRET, seen.secret),), "expired")


def _expiration(secret: Object) -> datetime.datetime | None:
    try:
        text = base64.b64decode((secret.get("data") or {}).get("expiration", "")).decode()
        return times.parse(text) if text else None
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
