"""Certificates for HTTPS: those of Secrets, checked before a proxy sees them, and one of our own for hosts that have none."""

import base64
import binascii
import datetime
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from steersman.aio.clock import Clock
from steersman.meta.objects import Object

DEFAULT_NAME = "Steersman Ingress default certificate"
DEFAULT_DAYS = 3650


def of_secret(secret: Object) -> str | None:
    """PEM of the certificate with its chain, then the key; None where they are missing, unreadable or do not belong together."""
    data = secret.get("data") or {}
    try:
        chain, key = (base64.b64decode(data[name]) for name in ("tls.crt", "tls.key"))
        certificate = x509.load_pem_x509_certificates(chain)[0]
        private = serialization.load_pem_private_key(key, None)
    except (KeyError, IndexError, TypeError, ValueError, binascii.Error):
        return None
    encoding = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    if private.public_key().public_bytes(*encoding) != certificate.public_key().public_bytes(*encoding):
        return None
    return f"{chain.decode().strip()}\n{key.decode().strip()}\n"


def default_pem(path: pathlib.Path, clock: Clock) -> str:
    """Self-signed, made once and kept in `path`."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(_self_signed(clock.now()))
    return path.read_text()


def _self_signed(now: datetime.datetime) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DEFAULT_NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=DEFAULT_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("ingress.local")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    form = serialization.PrivateFormat.PKCS8
    return pem + key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
