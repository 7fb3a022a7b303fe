"""Give approved requests to the `kubernetes.io/…` signers their certificate.

Reads: CertificateSigningRequest.  Writes: its status (`certificate`, or the condition Failed).
Leaves to others: approving; signers of other names; making the certificate itself (`signing`).
"""

import dataclasses
import datetime

from steersman.api import certificate_requests, kinds
from steersman.controllers.decision import Decision, UpdateStatus
from steersman.meta import times
from steersman.meta.objects import Object

SECONDS = 365 * 24 * 3600  # upstream's --cluster-signing-duration
SECONDS_MIN = 600


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`certificate` (base64 of PEM) was made because the request `is_due`."""

    request: Object
    certificate: str
    now: datetime.datetime


def decide(seen: Seen) -> Decision:
    request, status = seen.request, seen.request.get("status") or {}
    if not is_approved(request):
        return Decision(why="nothing to sign")
    why = refusal(request)
    if why:
        told = {
            "type": "Failed",
            "status": "True",
            "reason": "SignerValidationFailure",
            "message": why,
            "lastUpdateTime": times.format_seconds(seen.now),
        }
        failed = {**status, "conditions": [*(status.get("conditions") or ()), told]}
        return Decision((UpdateStatus(kinds.CERTIFICATE_SIGNING_REQUEST, {**request, "status": failed}),), why)
    if why is None or not seen.certificate:
        return Decision(why="another signer's")
    signed = {**status, "certificate": seen.certificate}
    return Decision((UpdateStatus(kinds.CERTIFICATE_SIGNING_REQUEST, {**request, "status": signed}),), "signed")


def is_due(request: Object) -> bool:
    """Whether a certificate is to be made."""
    return is_approved(request) and refusal(request) == ""


def is_approved(request: Object) -> bool:
    if certificate_requests.certificate(request) or certificate_requests.has(request, "Denied"):
        return False
    return certificate_requests.has(request, "Approved") and not certificate_requests.has(request, "Failed")


def refusal(request: Object) -> str | None:
    """Why its signer gives no such certificate; "" when it does, None where the signer is not ours."""
    spec = request["spec"]
    try:
        wanted = certificate_requests.parse(spec.get("request", ""))
    except certificate_requests.Malformed as why:
        return str(why)
    return certificate_requests.refusal(spec.get("signerName", ""), wanted, spec.get("usages") or ())


def seconds(request: Object) -> int:
    """How long the certificate is good for: as asked, within limits."""
    asked = request["spec"].get("expirationSeconds")
    return SECONDS if asked is None else min(SECONDS, max(SECONDS_MIN, int(asked)))
