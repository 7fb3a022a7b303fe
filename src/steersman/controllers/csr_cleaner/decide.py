"""Delete CertificateSigningRequests that have had their day.

Reads: CertificateSigningRequest.  Writes: deletes it: an hour after it was approved, denied or failed, a day after it was made and
nobody decided, and when its certificate has expired. Source: upstream's csr cleaner.
"""

import base64
import binascii
import dataclasses
import datetime

from steersman.api import certificate_requests, kinds
from steersman.controllers import decision
from steersman.controllers.decision import Decision
from steersman.meta import times
from steersman.meta.objects import Object

DECIDED_SECONDS = 3600.0
PENDING_SECONDS = 24 * 3600.0
LOOK_SECONDS = 600.0  # upstream's polling interval


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    request: Object
    now: datetime.datetime


def decide(seen: Seen) -> Decision:
    why = _past(seen.request, seen.now)
    if not why:
        return Decision(why="needed still", again_after_seconds=LOOK_SECONDS)
    return Decision((decision.delete(kinds.CERTIFICATE_SIGNING_REQUEST, seen.request),), why)


def _past(request: Object, now: datetime.datetime) -> str:
    told = (request.get("status") or {}).get("conditions") or ()
    for condition in told:
        at = condition.get("lastUpdateTime")
        if condition.get("type") in ("Approved", "Denied", "Failed") and at and _age(at, now) > DECIDED_SECONDS:
            return f"{condition['type']} long ago"
    if not told and not certificate_requests.certificate(request):
        made = request["metadata"].get("creationTimestamp")
        return "nobody decided" if made and _age(made, now) > PENDING_SECONDS else ""
    return "its certificate has expired" if _has_expired(request, now) else ""


def _has_expired(request: Object, now: datetime.datetime) -> bool:
    encoded = certificate_requests.certificate(request)
    if not encoded:
        return False
    from cryptography import x509

    try:
        issued = x509.load_pem_x509_certificate(base64.b64decode(encoded))
    except (binascii.Error, ValueError):
        return False
    return issued.not_valid_after_utc < now


def _age(stamp: str, now: datetime.datetime) -> float:
    return times.seconds_since(stamp, now)
