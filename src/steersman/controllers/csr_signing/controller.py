"""What the signer watches and sees; the certificate is made while looking, as chance and the authority's key go into it."""

from steersman.api import kinds
from steersman.controllers.csr_signing import decide
from steersman.controllers.csr_signing.decide import Seen
from steersman.controllers.loop import Controller, Look, Watch
from steersman.meta import objects


def controller(certificate: bytes, key: bytes) -> Controller:
    from steersman.controllers.csr_signing import signing  # late: cryptography takes its time to import

    signer = signing.Signer(certificate, key)

    def observe(look: Look, name: str) -> Seen | None:
        request = look.caches.of(kinds.CERTIFICATE_SIGNING_REQUEST).get(name)
        if request is None:
            return None
        return Seen(request, signer.sign(request, look.now) if decide.is_due(request) else "", look.now)

    return Controller(
        name="certificatesigningrequest-signing-controller",
        watches=(Watch(kinds.CERTIFICATE_SIGNING_REQUEST, lambda caches, obj: (objects.key(obj),)),),
        observe=observe,
        decide=decide.decide,
    )
