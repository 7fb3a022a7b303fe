"""Certificate requests and an authority for tests."""

import base64
import datetime
import ipaddress
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from steersman.api import certificate_requests
from steersman.meta.objects import Object

KEY = ec.derive_private_key(0x5EED, ec.SECP256R1())
CLIENT_USAGES = ("digital signature", "client auth")


def pkcs10(name: str = "tester", *groups: str, dns: tuple[str, ...] = (), addresses: tuple[str, ...] = ()) -> str:
    subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([*subject, x509.NameAttribute(NameOID.COMMON_NAME, name)])
    )
    names: list[x509.GeneralName] = [x509.DNSName(one) for one in dns]
    names += [x509.IPAddress(ipaddress.ip_address(one)) for one in addresses]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    pem = builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return base64.b64encode(pem).decode()


def request(
    encoded: str = "", signer: str = certificate_requests.CLIENT, usages: tuple[str, ...] = CLIENT_USAGES, **spec: Any
) -> Object:
    spec = {"request": encoded or pkcs10(), "signerName": signer, "usages": list(usages), **spec}
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": "r", "uid": "r", "resourceVersion": "1", "creationTimestamp": "2026-01-01T11:00:00Z"},
        "spec": spec,
    }


def node_request(**spec: Any) -> Object:
    encoded = pkcs10("system:node:n", "system:nodes")
    return request(encoded, certificate_requests.KUBELET_CLIENT, **spec)


def told(found: Object, *types: str, at: str = "2026-01-01T12:00:00Z") -> Object:
    conditions = [{"type": one, "status": "True", "lastUpdateTime": at} for one in types]
    return {**found, "status": {**(found.get("status") or {}), "conditions": conditions}}


def authority() -> tuple[bytes, bytes]:
    """Certificate and key as PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(KEY, hashes.SHA256())
    )
    key = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.PEM), key
