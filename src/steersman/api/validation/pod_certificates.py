"""PodCertificateRequests. Source: upstream's pkg/apis/certificates/validation and KEP-4317."""

from steersman.api.validation import fields, metadata, signers
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

_ENDS = ("Issued", "Denied", "Failed")
_REQUEST_MAX = 10 * 1024
_UID_MAX = 128

# Fields that name an object, and the uid beside each.
_NAMED: tuple[tuple[str, str, names.Check], ...] = (
    ("podName", "podUID", names.subdomain_errors),
    ("serviceAccountName", "serviceAccountUID", names.subdomain_errors),
    ("nodeName", "nodeUID", names.subdomain_errors),
)


def validate_pod_certificate_request(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = metadata.validate(new, old)
    if old is not None:
        errors += fields.check_immutable("spec", spec, old.get("spec") or {})
        return [*errors, *_status(new.get("status") or {}, old.get("status") or {})]
    errors += signers.validate_signer_name(spec.get("signerName", ""), "spec.signerName")
    for name, uid, check in _NAMED:
        errors += fields.check_name(f"spec.{name}", spec.get(name), check)
        if not spec.get(uid):
            errors.append(fields.invalid(f"spec.{uid}", "", f"{uid} must not be empty"))
        elif len(spec[uid]) > _UID_MAX:
            errors.append(fields.too_long(f"spec.{uid}", _UID_MAX))
    seconds, path = spec.get("maxExpirationSeconds"), "spec.maxExpirationSeconds"
    if seconds is None:
        errors.append(fields.required(path, "must be set"))
    errors += signers.check_expiration(seconds, spec.get("signerName", ""), path)
    request = spec.get("stubPKCS10Request", "")
    if not request:
        errors.append(fields.required("spec.stubPKCS10Request"))
    elif len(request) > _REQUEST_MAX * 4 // 3:
        errors.append(fields.too_long("spec.stubPKCS10Request", _REQUEST_MAX))
    return [
        *errors,
        *signers.check_user_annotations(spec.get("unverifiedUserAnnotations"), "spec.unverifiedUserAnnotations"),
    ]


def _status(new: Object, old: Object) -> list[FieldError]:
    """At most one end, which stays, and a certificate only with one that is issued."""
    ends = [one for one in new.get("conditions") or () if one.get("type") in _ENDS]
    path = "status.conditions"
    errors = []
    if len(ends) > 1:
        text = 'There may be at most one condition with type "Issued", "Denied", or "Failed"'
        errors.append(fields.invalid(path, new["conditions"], text))
    for one in ends:
        if one.get("status") != "True":
            errors.append(fields.not_supported(f"{path}.status", one.get("status", ""), ("True",)))
    if any(one.get("type") in _ENDS for one in old.get("conditions") or ()) and new != old:
        errors.append(fields.invalid("status", "", "immutable after the request has ended"))
    is_issued = any(one.get("type") == "Issued" for one in ends)
    for field in ("certificateChain", "notBefore", "beginRefreshAt", "notAfter"):
        if is_issued and not new.get(field):
            errors.append(fields.required(f"status.{field}", "must be set when the request is issued"))
        if new.get(field) and not is_issued:
            errors.append(fields.forbidden(f"status.{field}", "may only be set when the request is issued"))
    return errors
