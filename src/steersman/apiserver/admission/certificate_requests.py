"""CertificateSigningRequests: who asked, and who may approve and sign (CertificateApproval, CertificateSigning,
CertificateSubjectRestriction)."""

from steersman.aio import clock as clocks
from steersman.api import certificate_requests, kinds
from steersman.api.kind import Kind
from steersman.api.validation import certificate_requests as rules
from steersman.apiserver import authorization
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.apiserver.attributes import Attributes
from steersman.meta import errors, times
from steersman.meta.objects import Object

_GROUP = "certificates.k8s.io"


class CertificateRequests(Plugin):
    def __init__(self, authorizer: authorization.Authorizer, clock: clocks.Clock) -> None:
        self._authorizer = authorizer
        self._clock = clock

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        if kind is not kinds.CERTIFICATE_SIGNING_REQUEST:
            return False
        return (operation, subresource) in (("CREATE", ""), ("UPDATE", "approval"), ("UPDATE", "status"))

    async def mutate(self, review: Review) -> bool:
        """Who asks is not theirs to say; when a condition came is not asked for either."""
        if review.operation == "CREATE":
            review.new["spec"] = {**(review.new.get("spec") or {}), **_requester(review)}
            for field in ("uid", "groups", "extra"):
                if not review.new["spec"][field]:
                    del review.new["spec"][field]
            return True
        assert review.old is not None
        status = review.new.get("status") or {}
        told = [self._timed(one, review.old) for one in status.get("conditions") or ()]
        if told:
            review.new["status"] = {**status, "conditions": told}
        return bool(told)

    async def validate(self, review: Review) -> None:
        """Raises StatusError 403 or 422."""
        if review.operation == "CREATE":
            _check_subject(review)
            return
        assert review.old is not None
        new, old, signer = review.new, review.old, review.new["spec"].get("signerName", "")
        if review.call.target.subresource == "approval":
            wrong = rules.lost(new, old)
            self._check(review, "approve", signer)
        else:
            wrong = rules.lost_or_added(new, old)
            if _signed_part(new) != _signed_part(old):
                self._check(review, "sign", signer)
        if wrong:
            raise errors.invalid(review.call.kind.kind, review.name, wrong, review.call.kind.group)

    def _timed(self, condition: Object, old: Object) -> Object:
        now = times.format_seconds(self._clock.now())
        before = (old.get("status") or {}).get("conditions") or ()
        same: Object = next((one for one in before if _state(one) == _state(condition)), {})
        return {
            **condition,
            "lastUpdateTime": condition.get("lastUpdateTime") or now,
            "lastTransitionTime": condition.get("lastTransitionTime") or same.get("lastTransitionTime") or now,
        }

    def _check(self, review: Review, verb: str, signer: str) -> None:
        domain = signer.partition("/")[0]
        for name in (signer, f"{domain}/*"):
            if self._authorizer.allows(review.call.user, Attributes(verb, _GROUP, "*", "signers", "", name)):
                return
        why = f'user not permitted to {verb} requests with signerName "{signer}"'
        raise errors.forbidden(review.call.kind.plural, review.name, why, review.call.kind.group)


def _requester(review: Review) -> Object:
    user = review.call.user
    extra = {name: list(values) for name, values in user.extra.items()}
    return {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": extra}


def _check_subject(review: Review) -> None:
    """Nobody becomes a master by a certificate that a controller signs."""
    spec = review.new["spec"]
    if spec.get("signerName") != certificate_requests.CLIENT:
        return
    if certificate_requests.MASTERS in certificate_requests.parse(spec.get("request", "")).organizations:
        signer, group = certificate_requests.CLIENT, certificate_requests.MASTERS
        why = f"use of {signer} signer with {group} group is not allowed"
        raise errors.forbidden(review.call.kind.plural, review.name, why, review.call.kind.group)


def _signed_part(request: Object) -> tuple[object, object]:
    status = request.get("status") or {}
    return status.get("certificate"), status.get("conditions")


def _state(condition: Object) -> tuple[object, object]:
    return condition.get("type"), condition.get("status")
