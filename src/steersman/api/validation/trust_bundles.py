"""ClusterTrustBundles. Source: upstream's pkg/apis/certificates/validation."""

import base64
import binascii
import re

from steersman.api.validation import fields, metadata, signers
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

SIZE_MAX = 1 << 20  # of a bundle
_PATH = "spec.trustBundle"
_BLOCK = re.compile(r"-----BEGIN ([^-]+)-----\n(.*?)-----END \1-----", re.S)


def validate_trust_bundle(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    signer = spec.get("signerName", "")
    errors = metadata.validate(new, old, namespaced=False, check=name_check(signer))
    if signer:
        errors += signers.validate_signer_name(signer, "spec.signerName")
    if old is not None:
        before = old.get("spec") or {}
        errors += fields.check_immutable("spec.signerName", signer, before.get("signerName", ""))
        if before.get("trustBundle") == spec.get("trustBundle"):
            return errors
    return [*errors, *_bundle(spec.get("trustBundle", ""))]


def name_check(signer: str) -> names.Check:
    """A signer's bundles begin with its name, colons for slashes; those of nobody have none."""
    prefix = signer.replace("/", ":") + ":"

    def check(name: str) -> list[str]:
        if not signer:
            if ":" in name:
                return ['ClusterTrustBundle without signer name must not have ":" in its name']
            return names.subdomain_errors(name)
        if not name.startswith(prefix):
            return [f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"]
        return names.subdomain_errors(name.removeprefix(prefix))

    return check


def _bundle(text: str) -> list[FieldError]:
    if not text:
        return [fields.invalid(_PATH, "<value omitted>", "at least one trust anchor must be provided")]
    if len(text) > SIZE_MAX:
        return [fields.too_long(_PATH, SIZE_MAX)]
    errors: list[FieldError] = []
    seen: dict[bytes, int] = {}
    for index, block in enumerate(_BLOCK.finditer(text)):
        wrong = _certificate(block.group(1), block.group(2), seen, index)
        if wrong:
            errors.append(fields.invalid(_PATH, "<value omitted>", f"entry {index} {wrong}"))
    if not seen and not errors:
        errors.append(fields.invalid(_PATH, "<value omitted>", "at least one trust anchor must be provided"))
    return errors


def _certificate(label: str, body: str, seen: dict[bytes, int], index: int) -> str:
    """What is wrong with one PEM block; "" when nothing is."""
    from cryptography import x509  # late: only who makes bundles needs it

    if label != "CERTIFICATE":
        return f"has bad block type: {label}"
    if ":" in body:
        return "has PEM block headers"
    try:
        der = base64.b64decode(body)
        certificate = x509.load_der_x509_certificate(der)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return "does not have the CA bit set"
    except (ValueError, binascii.Error) as why:
        return f"does not parse as X.509: {why}"
    if not constraints.ca:
        return "does not have the CA bit set"
    if der in seen:
        return f"is a duplicate of entry {seen[der]}"
    seen[der] = index
    return ""
