"""What a CertificateSigningRequest asks for, and who may have it: the rules of the `kubernetes.io/…` signers.

Source: "Certificates and Certificate Signing Requests", upstream's pkg/apis/certificates.
"""

import base64
import binascii
import dataclasses
from collections.abc import Collection
from typing import TYPE_CHECKING

from steersman.meta import conditions
from steersman.meta.objects import Object

if TYPE_CHECKING:
    from cryptography import x509

CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LEGACY = "kubernetes.io/legacy-unknown"

NODES, NODE_PREFIX = "system:nodes", "system:node:"
MASTERS = "system:masters"

USAGES = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment",
    "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel",
    "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime",
    "server auth", "signing", "timestamping",
)  # fmt: skip


class Malformed(ValueError):
    """The request cannot be read; the text is upstream's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """The subject and alternative names of the PKCS#10 request."""

    common_name: str
    organizations: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()

    @property
    def has_names(self) -> bool:
        return bool(self.dns_names or self.addresses or self.emails or self.uris)


def load(encoded: str) -> "x509.CertificateSigningRequest":
    """`spec.request`. Raises Malformed."""
    from cryptography import x509  # late: few processes ever see a request

    try:
        pem = base64.b64decode(encoded or "", validate=True)
    except binascii.Error as error:
        raise Malformed("PEM block type must be CERTIFICATE REQUEST") from error
    if b"-----BEGIN CERTIFICATE REQUEST-----" not in pem:
        raise Malformed("PEM block type must be CERTIFICATE REQUEST")
    try:
        return x509.load_pem_x509_csr(pem)
    except ValueError as error:
        raise Malformed(str(error)) from error


def check_signature(request: "x509.CertificateSigningRequest") -> None:
    """Whoever asks has the private key. Raises Malformed with Go's text."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    try:
        if request.is_signature_valid:
            return
        key = request.public_key()
    except (UnsupportedAlgorithm, ValueError, TypeError) as unknown:
        raise Malformed("x509: cannot verify signature: algorithm unimplemented") from unknown
    if isinstance(key, rsa.RSAPublicKey):
        raise Malformed("crypto/rsa: verification error")
    kind = "ECDSA" if isinstance(key, ec.EllipticCurvePublicKey) else "Ed25519"
    raise Malformed(f"x509: {kind} verification failure")


def parse(encoded: str) -> Wanted:
    """Raises Malformed."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    request = load(encoded)

    def of_subject(oid: x509.ObjectIdentifier) -> tuple[str, ...]:
        return tuple(str(one.value) for one in request.subject.get_attributes_for_oid(oid))

    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    return Wanted(
        "".join(of_subject(NameOID.COMMON_NAME)[-1:]),
        of_subject(NameOID.ORGANIZATION_NAME),
        tuple(names.get_values_for_type(x509.DNSName)),
        tuple(map(str, names.get_values_for_type(x509.IPAddress))),
        tuple(names.get_values_for_type(x509.RFC822Name)),
        tuple(names.get_values_for_type(x509.UniformResourceIdentifier)),
    )


def refusal(signer: str, wanted: Wanted, usages: Collection[str]) -> str | None:
    """Why this signer gives no such certificate; "" when it does, None when it is none of ours."""
    match signer:
        case "kubernetes.io/kube-apiserver-client":
            return _client(usages)
        case "kubernetes.io/kube-apiserver-client-kubelet":
            return kubelet_client(wanted, usages)
        case "kubernetes.io/kubelet-serving":
            return _kubelet_serving(wanted, usages)
        case "kubernetes.io/legacy-unknown":
            return ""
    return None


def kubelet_client(wanted: Wanted, usages: Collection[str]) -> str:
    """Why it is no request for a kubelet's client certificate; "" when it is."""
    if wanted.organizations != (NODES,):
        return "subject organization is not system:nodes"
    for values, what in (
        (wanted.dns_names, "DNS"),
        (wanted.emails, "email"),
        (wanted.addresses, "IP"),
        (wanted.uris, "URI"),
    ):
        if values:
            return f"{what} subjectAltNames are not allowed"
    if not wanted.common_name.startswith(NODE_PREFIX):
        return "subject common name does not begin with system:node:"
    return _exactly(usages, "client auth")


def _client(usages: Collection[str]) -> str:
    given = set(usages)
    if "client auth" in given and given <= {"client auth", "digital signature", "key encipherment"}:
        return ""
    return f"usages did not match {_shown({'client auth', 'digital signature', 'key encipherment'})}"


def _kubelet_serving(wanted: Wanted, usages: Collection[str]) -> str:
    if wanted.organizations != (NODES,):
        return "subject organization is not system:nodes"
    if not (wanted.dns_names or wanted.addresses):
        return "DNS or IP subjectAltName is required"
    if wanted.emails:
        return "email subjectAltNames are not allowed"
    if wanted.uris:
        return "URI subjectAltNames are not allowed"
    if not wanted.common_name.startswith(NODE_PREFIX):
        return "subject common name does not begin with system:node:"
    return _exactly(usages, "server auth")


def _exactly(usages: Collection[str], auth: str) -> str:
    """The encipherment of keys is for RSA only."""
    required = {"digital signature", auth}
    if set(usages) in (required, {*required, "key encipherment"}):
        return ""
    return f"usages did not match {_shown({*required, 'key encipherment'})}"


def _shown(usages: Collection[str]) -> str:
    return f"[{' '.join(sorted(usages))}]"


def has(request: Object, condition: str) -> bool:
    """Approved, Denied or Failed."""
    return conditions.is_true(request, condition)


def certificate(request: Object) -> str:
    return str((request.get("status") or {}).get("certificate") or "")
