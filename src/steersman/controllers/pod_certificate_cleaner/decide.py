"""Delete PodCertificateRequests that have had their day: the kubelet that asked has its answer, or has asked anew.

Reads: PodCertificateRequest.  Writes: deletes it. Source: upstream's PodCertificateRequest cleaner.
"""

import dataclasses
import datetime

from steersman.api import kinds
from steersman.controllers import decision
from steersman.controllers.decision import Decision
from steersman.meta import times
from steersman.meta.objects import Object

KEPT_SECONDS = 900.0  # upstream's threshold


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    request: Object
    now: datetime.datetime


def decide(seen: Seen) -> Decision:
    left = KEPT_SECONDS - times.seconds_since(seen.request["metadata"]["creationTimestamp"], seen.now)
    if left > 0:
        return Decision(why="needed still", again_after_seconds=left)
    return Decision((decision.delete(kinds.POD_CERTIFICATE_REQUEST, seen.request),), "old")
