"""Make the certificate that a CertificateSigningRequest asks for. Leaves to others: whether it may be made."""

import base64
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from steersman.api import certificate_requests
from steersman.controllers.csr_signing import decide
from steersman.meta.objects import Object

BACKDATE = datetime.timedelta(minutes=5)  # upstream's: clocks of other machines may be a little behind

_KEY_USAGES = {
    "signing": "digital_signature", "digital signature": "digital_signature", "content commitment": "content_commitment",
    "key encipherment": "key_encipherment", "data encipherment": "data_encipherment", "key agreement": "key_agreement",
    "cert sign": "key_cert_sign", "crl sign": "crl_sign", "encipher only": "encipher_only", "decipher only": "decipher_only",
}  # fmt: skip
_EXTENDED = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
}


class Signer:
    """The cluster's authority, given as PEM."""

    def __init__(self, certificate: bytes, key: bytes) -> None:
        self._certificate = x509.load_pem_x509_certificate(certificate)
        loaded = serialization.load_pem_private_key(key, None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey), "the authority's key is EC or RSA"
        self._key = loaded

    def sign(self, request: Object, now: datetime.datetime) -> str:
        """`status.certificate`: base64 of the PEM certificate."""
        asked = certificate_requests.load(request["spec"]["request"])
        usages = request["spec"].get("usages") or ()
        ends = min(now + datetime.timedelta(seconds=decide.seconds(request)), self._certificate.not_valid_after_utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(asked.subject)
            .issuer_name(self._certificate.subject)
            .public_key(asked.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATE)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        usage = _key_usage(usages)
        if usage is not None:
            builder = builder.add_extension(usage, critical=True)
        extended = list(dict.fromkeys(_EXTENDED[usage] for usage in usages if usage in _EXTENDED))
        if extended:
            builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
        try:
            names = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            builder = builder.add_extension(names.value, critical=names.critical)
        except x509.ExtensionNotFound:
            pass
        pem = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        return base64.b64encode(pem).decode()


def _key_usage(usages: list[str] | tuple[str, ...]) -> x509.KeyUsage | None:
    """None where nothing is asked for: a certificate that may do nothing is refused by strict verifiers."""
    wanted = {_KEY_USAGES[usage] for usage in usages if usage in _KEY_USAGES}
    if not wanted:
        return None
    named = dict.fromkeys(sorted(set(_KEY_USAGES.values())), False) | dict.fromkeys(sorted(wanted), True)
    if not named["key_agreement"]:
        named["encipher_only"] = named["decipher_only"] = False
    return x509.KeyUsage(**named)
