"""Approve requests of kubelets for their client certificates, where they have the right to them.

Reads: CertificateSigningRequest.  Writes: its condition Approved (subresource approval).
Leaves to others: every other request (people, other approvers), signing.
"""

import dataclasses

from steersman.api import certificate_requests, kinds
from steersman.api.certificate_requests import Wanted
from steersman.controllers.decision import Decision, Update
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Recognized:
    """A request that may be approved if its sender may `create` `certificatesigningrequests/SUBRESOURCE`."""

    subresource: str
    message: str


SELF = Recognized("selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview.")
OTHER = Recognized("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview.")


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`allowed` is the first that was recognized and that its sender has the right to."""

    request: Object
    allowed: Recognized | None


def decide(seen: Seen) -> Decision:
    if is_decided(seen.request) or seen.allowed is None:
        return Decision(why="not ours to decide")
    status = seen.request.get("status") or {}
    told = {"type": "Approved", "status": "True", "reason": "AutoApproved", "message": seen.allowed.message}
    approved = {**seen.request, "status": {**status, "conditions": [*(status.get("conditions") or ()), told]}}
    return Decision((Update(kinds.CERTIFICATE_SIGNING_REQUEST, approved, "approval"),), seen.allowed.message)


def is_decided(request: Object) -> bool:
    if certificate_requests.certificate(request):
        return True
    return certificate_requests.has(request, "Approved") or certificate_requests.has(request, "Denied")


def recognized(request: Object) -> list[Recognized]:
    """What it may be, the strictest first."""
    spec = request["spec"]
    if is_decided(request) or spec.get("signerName") != certificate_requests.KUBELET_CLIENT:
        return []
    try:
        wanted = certificate_requests.parse(spec.get("request", ""))
    except certificate_requests.Malformed:
        return []
    if certificate_requests.kubelet_client(wanted, spec.get("usages") or ()):
        return []
    return [SELF, OTHER] if _asks_for_itself(spec, wanted) else [OTHER]


def _asks_for_itself(spec: Object, wanted: Wanted) -> bool:
    return bool(spec.get("username")) and spec.get("username") == wanted.common_name
