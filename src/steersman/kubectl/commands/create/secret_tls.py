"""`create secret tls`: a certificate and the private key that belongs to it."""

import pathlib

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import secret_generic, sending, sources
from steersman.kubectl.flags import BOOL, Flag, Values
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

FLAGS = (
    Flag("cert", help="The file of the certificate, PEM."),
    Flag("key", help="The file of its private key, PEM."),
    Flag("append-hash", BOOL, help="Put a hash of the content behind the name."),
    *sending.FLAGS,
)
USAGE = "NAME --cert=path/to/cert/file --key=path/to/key/file [--dry-run=server|client|none]"


async def run(call: Call) -> None:
    name = sending.name_of(call)
    obj = generate(name, sending.namespace_of(call), call.flags)
    await sending.send(call, obj, "secrets", failed="failed to create secret ")


def generate(name: str, namespace: str, flags: Values) -> Object:
    """Raises CommandError. Reads both files."""
    if not flags["cert"] or not flags["key"]:
        raise CommandError("key and cert must be specified")
    certificate, key = _content(flags["cert"]), _content(flags["key"])
    check_pair(certificate, key)
    data = {"tls.crt": sources.base64_of(certificate), "tls.key": sources.base64_of(key)}
    return secret_generic.secret(name, namespace, "kubernetes.io/tls", data, append_hash=flags["append-hash"])


def check_pair(certificate: bytes, key: bytes) -> None:
    """Raises CommandError where they cannot be read or do not belong together, as Go's tls.X509KeyPair."""
    from cryptography import x509  # here: only this command needs them
    from cryptography.hazmat.primitives import serialization

    if b"-----BEGIN CERTIFICATE-----" not in certificate:
        if b"-----BEGIN " not in certificate:
            raise CommandError("tls: failed to find any PEM data in certificate input")
        if b"PRIVATE KEY-----" in certificate:
            raise CommandError(
                "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may "
                "have been switched"
            )
        kind = certificate.partition(b"-----BEGIN ")[2].partition(b"-----")[0].decode(errors="replace")
        raise CommandError(
            f'tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following '
            f"types: [{kind}]"
        )
    if b"PRIVATE KEY-----" not in key:
        if b"-----BEGIN CERTIFICATE-----" in key:
            raise CommandError("tls: found a certificate rather than a key in the PEM for the private key")
        if b"-----BEGIN " not in key:
            raise CommandError("tls: failed to find any PEM data in key input")
        kind = key.partition(b"-----BEGIN ")[2].partition(b"-----")[0].decode(errors="replace")
        raise CommandError(
            'tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the '
            f"following types: [{kind}]"
        )
    try:
        private = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError) as wrong:
        raise CommandError("tls: failed to parse private key") from wrong
    try:
        found = x509.load_pem_x509_certificate(certificate)
    except ValueError as wrong:
        raise CommandError(f"x509: malformed certificate: {wrong}") from wrong
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    if private.public_key().public_bytes(*form) == found.public_key().public_bytes(*form):
        return
    if type(private.public_key()) is not type(found.public_key()):
        raise CommandError("tls: private key type does not match public key type")
    raise CommandError("tls: private key does not match public key")


def _content(path: str) -> bytes:
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as wrong:
        raise CommandError(f"Cannot read file {path}, open {path}: {(wrong.strerror or str(wrong)).lower()}") from wrong
