"""The certificates of a cluster: one authority, serving certificates, client certificates, the token signing key.

Current clients verify strictly (Python 3.13 among them): the authority needs critical basicConstraints and keyUsage and
a subject key identifier, leaves need an authority key identifier. Keys are ECDSA P-256: made in a millisecond, understood
by every client. Everything is kept in the `pki` directory and made again only where it is missing, near its end, or where the
names of a serving certificate have changed.

Names and groups of the clients are upstream's ("PKI certificates and requirements" in the Kubernetes documentation).
"""

import dataclasses
import datetime
import ipaddress
import os
import pathlib
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS = 3650
LEAF_DAYS = 365
RENEW_BEFORE_DAYS = 90
BACKDATE = datetime.timedelta(minutes=5)  # clocks of other machines may be a little behind


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """A client: `user` becomes CN, `groups` become O."""

    file: str
    user: str
    groups: tuple[str, ...] = ()


ADMIN = Identity("admin", "kubernetes-admin", ("system:masters",))
CONTROLLERS = Identity("controller-manager", "system:kube-controller-manager")
SCHEDULER = Identity("scheduler", "system:kube-scheduler")
PROXY = Identity("kube-proxy", "system:kube-proxy")
FAKE_NODES = Identity("paper-nodes", "steersman:fake-nodes")  # acts as each node on paper
FRONT_PROXY = Identity("front-proxy-client", "front-proxy-client")  # signed by an authority of its own
API_TO_KUBELET = Identity("apiserver-kubelet-client", "kube-apiserver-kubelet-client", ("system:masters",))


def front_proxy_authority(directory: pathlib.Path, now: datetime.datetime) -> "Authority":
    """Who vouches for the API server before extension servers: nobody else gets a certificate of it."""
    return Authority(directory, now, "front-proxy-ca", "front-proxy-ca")


def node_identity(node: str) -> Identity:
    return Identity(f"node-{node}", f"system:node:{node}", ("system:nodes",))


@dataclasses.dataclass(frozen=True, slots=True)
class KeyPair:
    """Paths of a PEM certificate and its PEM key."""

    certificate: pathlib.Path
    key: pathlib.Path


class Authority:
    """The cluster's certificate authority, kept in `directory`; `file` and `user` tell it from another one there."""

    def __init__(
        self, directory: pathlib.Path, now: datetime.datetime, file: str = "ca", user: str = "steersman-ca"
    ) -> None:
        self._directory = directory
        self._now = now
        self._user = user
        self.pair = KeyPair(directory / f"{file}.crt", directory / f"{file}.key")
        if not self.pair.certificate.exists():
            self._create()
        self._key = _load_key(self.pair.key)
        self._certificate = x509.load_pem_x509_certificate(self.pair.certificate.read_bytes())

    def client(self, identity: Identity) -> KeyPair:
        """The client certificate of `identity`."""
        return self._leaf(identity.file, identity.user, identity.groups, (), ExtendedKeyUsageOID.CLIENT_AUTH)

    def server(self, file: str, user: str, names: Sequence[str], groups: Sequence[str] = ()) -> KeyPair:
        """A serving certificate for host names and addresses."""
        return self._leaf(file, user, groups, names, ExtendedKeyUsageOID.SERVER_AUTH)

    def service_account_key(self) -> pathlib.Path:
        """The private key that signs service account tokens."""
        path = self._directory / "sa.key"
        if not path.exists():
            write(path, key_bytes(ec.generate_private_key(ec.SECP256R1())), secret=True)
        return path

    def _create(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _subject(self._user, ())
        certificate = (
            self._builder(name, name, key.public_key(), CA_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        write(self.pair.key, key_bytes(key), secret=True)
        write(self.pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))

    def _leaf(
        self, file: str, user: str, groups: Sequence[str], names: Sequence[str], use: x509.ObjectIdentifier
    ) -> KeyPair:
        pair = KeyPair(self._directory / f"{file}.crt", self._directory / f"{file}.key")
        if not self._still_good(pair, names):
            self._issue(pair, _subject(user, groups), names, use)
        return pair

    def _still_good(self, pair: KeyPair, names: Sequence[str]) -> bool:
        if not (pair.certificate.exists() and pair.key.exists()):
            return False
        certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        if certificate.not_valid_after_utc < self._now + datetime.timedelta(days=RENEW_BEFORE_DAYS):
            return False
        return set(general_names(names)) == set(names_of(certificate))

    def _issue(self, pair: KeyPair, subject: x509.Name, names: Sequence[str], use: x509.ObjectIdentifier) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._builder(subject, self._certificate.subject, key.public_key(), LEAF_DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(general_names(names)), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        write(pair.key, key_bytes(key), secret=True)
        write(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, days: int
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - BACKDATE)
            .not_valid_after(self._now + datetime.timedelta(days=days))
        )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(user: str, groups: Sequence[str]) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def general_names(names: Sequence[str]) -> list[x509.GeneralName]:
    return [_general_name(name) for name in names]


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def names_of(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _load_key(path: pathlib.Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey), f"{path} is not an EC key"
    return key


def key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write(path: pathlib.Path, data: bytes, *, secret: bool = False) -> None:
    """Whole or not at all: a crash must not leave half a key behind."""
    partial = path.with_suffix(path.suffix + ".new")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if secret else 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
