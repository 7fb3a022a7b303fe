"""A private key for a pod, and the request that proves who has it. Nothing heavy is imported before the first one is made.

Source: KEP-4317; `spec.stubPKCS10Request` is a PKCS#10 request of nothing but the public key and its proof.
"""

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

TYPES = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")
_BLOCK = re.compile(r"-----BEGIN [^-]+-----(.*?)-----END [^-]+-----", re.DOTALL)
_LINE = 64  # characters of PEM's base64


class Key(NamedTuple):
    """PKCS#8 in PEM, and the stub request in DER."""

    private: bytes
    request: bytes


def make(key_type: str) -> Key:
    """Takes a second for a large RSA key: not in the loop. Raises ValueError for a type that is none of `TYPES`."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    key = _private_key(key_type)
    # As Go chooses for each curve; Ed25519 has a hash of its own.
    hash_of = {"ECDSAP384": hashes.SHA384(), "ECDSAP521": hashes.SHA512(), "ED25519": None}
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hash_of.get(key_type, hashes.SHA256()))
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return Key(
        key.private_bytes(pem, pkcs8, serialization.NoEncryption()), request.public_bytes(serialization.Encoding.DER)
    )


def _private_key(key_type: str) -> "rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    curves: dict[str, type[ec.EllipticCurve]] = {
        "ECDSAP256": ec.SECP256R1,
        "ECDSAP384": ec.SECP384R1,
        "ECDSAP521": ec.SECP521R1,
    }
    if key_type in curves:
        return ec.generate_private_key(curves[key_type]())
    if key_type == "ED25519":
        return ed25519.Ed25519PrivateKey.generate()
    if key_type in ("RSA3072", "RSA4096"):
        return rsa.generate_private_key(65537, int(key_type.removeprefix("RSA")))
    raise ValueError(f'unknown key type "{key_type}"')


def cleaned(chain: str) -> bytes:
    """The certificates alone: nothing between blocks, no headers in them."""
    blocks = []
    for body in _BLOCK.findall(chain):
        text = "".join(line.strip() for line in body.splitlines() if ":" not in line)
        lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
        blocks.append("\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----\n")))
    return "".join(blocks).encode()
