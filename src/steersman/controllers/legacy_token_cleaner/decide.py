"""Remove tokens in Secrets that were made for accounts long ago and that nobody has used for a year.

Reads: Secrets that their ServiceAccount lists (only those were made automatically), the ConfigMap that says since when
use is noted.
Writes: the label `kubernetes.io/legacy-token-invalid-since`, and a year later deletes the Secret.
Leaves to others: noting use, and refusing tokens that are marked (authentication).
Source: KEP-2799, "Auto-generated legacy ServiceAccount token clean up".
"""

import dataclasses
import datetime

from steersman.api import kinds
from steersman.controllers import decision
from steersman.controllers.decision import Decision
from steersman.meta import objects, times
from steersman.meta.objects import Object

TYPE = "kubernetes.io/service-account-token"
TRACKING = "kube-apiserver-legacy-service-account-token-tracking"
LAST_USED = "kubernetes.io/legacy-token-last-used"
INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"
UNUSED = datetime.timedelta(days=365)  # upstream's --legacy-service-account-token-clean-up-period
LOOK_SECONDS = 24 * 3600.0


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`tracked_since` is a date; None while use is not tracked. `is_mounted` by a pod."""

    secret: Object
    tracked_since: datetime.date | None
    is_mounted: bool
    now: datetime.datetime


def decide(seen: Seen) -> Decision:
    long_ago = (seen.now - UNUSED).date()
    if objects.is_terminating(seen.secret) or seen.is_mounted:
        return Decision(why="in use", again_after_seconds=LOOK_SECONDS)
    if seen.tracked_since is None or seen.tracked_since > long_ago or _is_recent(seen.secret, long_ago):
        return Decision(why="may have been used", again_after_seconds=LOOK_SECONDS)
    marked = _date(objects.labels(seen.secret).get(INVALID_SINCE))
    if marked is None:
        label = {"metadata": {"labels": {INVALID_SINCE: seen.now.date().isoformat()}}}
        return Decision((decision.patch(kinds.SECRET, seen.secret, label),), "unused for a year", LOOK_SECONDS)
    if marked > long_ago:
        return Decision(why="marked as unused", again_after_seconds=LOOK_SECONDS)
    version = objects.resource_version(seen.secret)
    return Decision((decision.delete(kinds.SECRET, seen.secret, resource_version=version),), "nobody missed it")


def tracked_since(config_map: Object | None) -> datetime.date | None:
    return _date(((config_map or {}).get("data") or {}).get("since"))


def _is_recent(secret: Object, long_ago: datetime.date) -> bool:
    if times.parse(secret["metadata"]["creationTimestamp"]).date() >= long_ago:
        return True
    used = _date(objects.labels(secret).get(LAST_USED))
    return used is not None and used >= long_ago


def _date(text: str | None) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text or "")
    except ValueError:
        return None
