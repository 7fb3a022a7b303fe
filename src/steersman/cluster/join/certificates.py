"""The machine's certificates: asked for by CertificateSigningRequests, kept, and renewed before they end.

Each is one file with certificate and key, replaced as a whole. A new key goes with each new certificate.
Source: "TLS bootstrapping"; the kubelet's certificate manager (k8s.io/client-go/util/certificate).
"""

import base64
import dataclasses
import datetime
import logging
import pathlib
from collections.abc import Awaitable, Callable, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from steersman.aio import backoff
from steersman.aio.clock import Clock
from steersman.api import certificate_requests, kinds
from steersman.client.client import Client, Unreachable
from steersman.cluster import pki
from steersman.controllers.csr_node_approving.decide import PROXY
from steersman.meta import conditions, objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

ANSWER_SECONDS = 60.0  # for approval and signature; somebody may have to approve by hand
LOOK_SECONDS = 0.1
RENEW_AT, RENEW_SPREAD = 0.7, 0.2  # of the time a certificate is good for, as the kubelet does it

log = logging.getLogger(__name__)


class NotGiven(Exception):
    """The text says why there is no certificate."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """A certificate to ask `signer` for. `names` are those of a server. `seconds` 0: for as long as the signer gives it."""

    signer: str
    user: str
    groups: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    seconds: int = 0

    @property
    def usages(self) -> list[str]:
        return ["digital signature", "server auth" if self.names else "client auth"]


def of_node(name: str, seconds: int = 0) -> Wish:
    user = f"{certificate_requests.NODE_PREFIX}{name}"
    return Wish(certificate_requests.KUBELET_CLIENT, user, (certificate_requests.NODES,), seconds=seconds)


def of_kubelet(name: str, names: Sequence[str], seconds: int = 0) -> Wish:
    return dataclasses.replace(of_node(name, seconds), signer=certificate_requests.KUBELET_SERVING, names=tuple(names))


def of_proxy(seconds: int = 0) -> Wish:
    return Wish(certificate_requests.CLIENT, PROXY, seconds=seconds)


def request(wish: Wish, key: ec.EllipticCurvePrivateKey) -> Object:
    """The CertificateSigningRequest."""
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in wish.groups]
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, wish.user)])
    )
    if wish.names:
        builder = builder.add_extension(x509.SubjectAlternativeName(pki.general_names(wish.names)), critical=False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    spec: Object = {
        "request": base64.b64encode(pem).decode(),
        "signerName": wish.signer,
        "usages": wish.usages,
    }
    if wish.seconds:
        spec["expirationSeconds"] = wish.seconds
    kind = kinds.CERTIFICATE_SIGNING_REQUEST
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"generateName": "csr-"}, "spec": spec}


async def obtain(client: Client, wish: Wish, path: pathlib.Path, clock: Clock) -> None:
    """Ask, wait, and write the file. Raises NotGiven, StatusError, Unreachable."""
    key = ec.generate_private_key(ec.SECP256R1())
    kind = kinds.CERTIFICATE_SIGNING_REQUEST
    made = await client.create(kind, request(wish, key))
    deadline = clock.monotonic() + ANSWER_SECONDS
    while not certificate_requests.certificate(made):
        for refusal in ("Denied", "Failed"):
            if conditions.is_true(made, refusal):
                why = (conditions.get(made, refusal) or {}).get("message") or refusal
                raise NotGiven(f"The cluster gives {wish.user} no certificate: {why}.")
        if clock.monotonic() > deadline:
            raise NotGiven(
                f"Nobody has approved the request {objects.name(made)} for a certificate of {wish.user} within "
                f"{ANSWER_SECONDS:.0f} s (there: kubectl certificate approve {objects.name(made)})."
            )
        await clock.sleep(LOOK_SECONDS)
        made = await client.get(kind, objects.name(made))
    pki.write(path, base64.b64decode(certificate_requests.certificate(made)) + pki.key_bytes(key), secret=True)


def is_good(path: pathlib.Path, now: datetime.datetime, names: Sequence[str] = ()) -> bool:
    """Whether there is one that has not ended and has these names."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return now < certificate.not_valid_after_utc and set(pki.general_names(names)) <= set(pki.names_of(certificate))


def renewal(path: pathlib.Path, now: datetime.datetime, share: float) -> float:
    """Seconds until it is time; `share` (0 to 1) spreads the machines of a cluster."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    due = start + (end - start) * (RENEW_AT + RENEW_SPREAD * share)
    return max(0.0, (due - now).total_seconds())


async def keep(client: Client, wish: Wish, path: pathlib.Path, clock: Clock, renewed: Callable[[], None]) -> None:
    """Renew the certificate whenever it is due, until cancelled; `renewed` is told each time."""
    while True:
        await clock.sleep(renewal(path, clock.now(), clock.jitter(1.0, 1.0) - 1.0))
        await insist(lambda: obtain(client, wish, path, clock), wish, clock)
        log.info("renewed the certificate of %s from %s", wish.user, wish.signer)
        renewed()


async def insist(attempt: Callable[[], Awaitable[None]], wish: Wish, clock: Clock) -> None:
    """Until it succeeds."""
    pause = backoff.Backoff(clock)
    while True:
        try:
            return await attempt()
        except (NotGiven, StatusError, Unreachable) as refused:
            seconds = pause.next()
            log.warning("no certificate of %s from %s yet: %s", wish.user, wish.signer, refused)
            await clock.sleep(seconds)
