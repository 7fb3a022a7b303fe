"""Keys of pods and the requests that prove them."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from steersman.kubelet.certificates import keys


@pytest.mark.parametrize(
    ("key_type", "kind", "size", "hash_name"),
    [
        ("ECDSAP256", ec.EllipticCurvePrivateKey, 256, "sha256"),
        ("ECDSAP384", ec.EllipticCurvePrivateKey, 384, "sha384"),
        ("ECDSAP521", ec.EllipticCurvePrivateKey, 521, "sha512"),
        ("ED25519", ed25519.Ed25519PrivateKey, 0, ""),
        pytest.param("RSA3072", rsa.RSAPrivateKey, 3072, "sha256", marks=pytest.mark.slow),
    ],
)
def test_types(key_type: str, kind: type, size: int, hash_name: str) -> None:
    made = keys.make(key_type)
    key = serialization.load_pem_private_key(made.private, None)
    assert made.private.startswith(b"-----BEGIN PRIVATE KEY-----\n"), "PKCS#8"
    assert isinstance(key, kind)
    assert getattr(key, "key_size", 0) == size
    request = x509.load_der_x509_csr(made.request)
    assert request.is_signature_valid
    assert list(request.subject) == []
    assert list(request.extensions) == []
    assert request.public_key() == key.public_key()
    assert (request.signature_hash_algorithm.name if request.signature_hash_algorithm else "") == hash_name


def test_no_such_type() -> None:
    with pytest.raises(ValueError, match='unknown key type "DSA"'):
        keys.make("DSA")


def block(name: str, *lines: str) -> str:
    return "\n".join((f"-----BEGIN {name}-----", *lines, f"-----END {name}-----", ""))


LONG = "A" * 64


@pytest.mark.parametrize(
    ("chain", "expect"),
    [
        (block("CERTIFICATE", LONG, "QUJD"), block("CERTIFICATE", LONG, "QUJD")),
        (
            "the leaf:\n" + block("CERTIFICATE", "QUJD") + "# and above\n" + block("CERTIFICATE", "REVG"),
            block("CERTIFICATE", "QUJD") + block("CERTIFICATE", "REVG"),
        ),
        (block("CERTIFICATE", "Name: leaf", "", "QUJD"), block("CERTIFICATE", "QUJD")),
        (block("CERTIFICATE", LONG + "QUJD").replace("\n", "\r\n"), block("CERTIFICATE", LONG, "QUJD")),
        ("nothing", ""),
    ],
    ids=["clean", "text between", "headers", "long lines of another system", "nothing"],
)
def test_what_is_left_of_a_chain(chain: str, expect: str) -> None:
    assert keys.cleaned(chain).decode() == expect
