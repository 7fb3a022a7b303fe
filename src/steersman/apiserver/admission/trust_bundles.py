"""ClusterTrustBundleAttest: only who may attest for a signer publishes its trust anchors."""

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import authorization
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.apiserver.attributes import Attributes
from steersman.meta import errors


class TrustBundles(Plugin):
    name = "ClusterTrustBundleAttest"

    def __init__(self, authorizer: authorization.Authorizer) -> None:
        self._authorizer = authorizer

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind.stored is kinds.CLUSTER_TRUST_BUNDLE and operation in ("CREATE", "UPDATE")

    async def validate(self, review: Review) -> None:
        """Raises StatusError 403. Where only metadata changes nothing is attested."""
        new, old = review.new, review.old
        signer = (new.get("spec") or {}).get("signerName", "")
        if not signer or (old is not None and old.get("spec") == new.get("spec")):
            return
        domain = signer.partition("/")[0]
        for name in (signer, f"{domain}/*"):
            asked = Attributes("attest", review.call.kind.group, "*", "signers", "", name)
            if self._authorizer.allows(review.call.user, asked):
                return
        why = f'user not permitted to attest for signerName "{signer}"'
        raise errors.forbidden(review.call.kind.plural, review.name, why, review.call.kind.group)
