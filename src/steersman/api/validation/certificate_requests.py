"""CertificateSigningRequests."""

import base64
import binascii

from steersman.api import certificate_requests
from steersman.api.validation import fields, metadata, signers
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

EXPIRATION_SECONDS_MIN = 600
_ALWAYS_TRUE = ("Approved", "Denied", "Failed")


def validate_certificate_request(new: Object, old: Object | None) -> list[FieldError]:
    spec, status = new.get("spec") or {}, new.get("status") or {}
    errors = metadata.validate(new, old, namespaced=False)
    if old is None:
        errors += _spec(spec)
    before = ((old or {}).get("status") or {}).get("conditions") or []
    told = status.get("conditions") or []
    errors += _conditions(told, duplicates=_types(before) == list(dict.fromkeys(_types(before))))
    issued = certificate_requests.certificate(old or {})
    certificate = certificate_requests.certificate(new)
    if issued and issued != certificate:
        errors.append(fields.forbidden("status.certificate", "updates may not modify existing certificate content"))
    elif certificate and not issued:
        errors += _certificate(certificate)
    return errors


def lost_or_added(new: Object, old: Object) -> list[FieldError]:
    """A write of the status neither approves nor denies, and never takes a decision back."""
    before, after = _types(_told(old)), _types(_told(new))
    errors = []
    for kind in ("Approved", "Denied"):
        if before.count(kind) < after.count(kind):
            errors.append(fields.forbidden("status.conditions", f'updates may not add a condition of type "{kind}"'))
    return [*errors, *lost(new, old)]


def lost(new: Object, old: Object) -> list[FieldError]:
    before, after = _types(_told(old)), _types(_told(new))
    return [
        fields.forbidden("status.conditions", f'updates may not remove a condition of type "{kind}"')
        for kind in _ALWAYS_TRUE
        if before.count(kind) > after.count(kind)
    ]


def _spec(spec: Object) -> list[FieldError]:
    errors = []
    try:
        certificate_requests.check_signature(certificate_requests.load(spec.get("request", "")))
    except certificate_requests.Malformed as why:
        errors.append(fields.invalid("spec.request", spec.get("request"), str(why)))
    usages = spec.get("usages") or []
    if not usages:
        errors.append(fields.required("spec.usages"))
    for index, usage in enumerate(usages):
        if usage not in certificate_requests.USAGES:
            errors.append(fields.not_supported(f"spec.usages[{index}]", usage, certificate_requests.USAGES))
    errors += fields.check_unique(lambda index: f"spec.usages[{index}]", usages)
    name = spec.get("signerName", "")
    if name == certificate_requests.LEGACY:
        text = "the legacy signerName is not allowed via this API version"
        errors.append(fields.invalid("spec.signerName", name, text))
    else:
        errors += signers.validate_signer_name(name, "spec.signerName")
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < EXPIRATION_SECONDS_MIN:
        text = "may not specify a duration less than 600 seconds (10 minutes)"
        errors.append(fields.invalid("spec.expirationSeconds", seconds, text))
    return errors


def _conditions(told: list[Object], *, duplicates: bool) -> list[FieldError]:
    errors = []
    types = _types(told)
    for index, one in enumerate(told):
        path, kind, word = f"status.conditions[{index}]", one.get("type", ""), one.get("status", "")
        if not kind:
            errors.append(fields.required(f"{path}.type"))
        if kind in _ALWAYS_TRUE and word != "True":
            errors.append(fields.not_supported(f"{path}.status", word, ("True",)))
        elif not word:
            errors.append(fields.required(f"{path}.status"))
    if duplicates:
        errors += fields.check_unique(lambda index: f"status.conditions[{index}].type", types)
    if "Approved" in types and "Denied" in types:
        at = max(types.index("Approved"), types.index("Denied"))
        text = "Approved and Denied conditions are mutually exclusive"
        errors.append(fields.invalid(f"status.conditions[{at}].type", types[at], text))
    return errors


def _certificate(encoded: str) -> list[FieldError]:
    from cryptography import x509

    try:
        pem = base64.b64decode(encoded, validate=True)
        x509.load_pem_x509_certificates(pem)
    except (binascii.Error, ValueError):
        return [
            fields.invalid(
                "status.certificate", "<certificate data>", "must contain at least one CERTIFICATE PEM block"
            )
        ]
    return []


def _told(request: Object) -> list[Object]:
    return (request.get("status") or {}).get("conditions") or []


def _types(told: list[Object]) -> list[str]:
    return [one.get("type", "") for one in told]
