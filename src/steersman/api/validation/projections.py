"""Sources of projected volumes, and files of volumes. Source: upstream's validateProjectionSources and what it calls."""

from collections.abc import Iterable

from steersman.api.validation import environment, fields, metadata, mounts, signers, trust_bundles
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

MODE_MAX = 0o777
MODE_RANGE = "must be a number between 0 and 0777 (octal), both inclusive"
KEY_TYPES = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")
CERTIFICATE_PATHS = ("credentialBundlePath", "keyPath", "certificateChainPath")
TOKEN_SECONDS_MIN, TOKEN_SECONDS_MAX = 600, 1 << 32
_DUPLICATE = "conflicting duplicate paths"


def validate(source: Object, path: str) -> list[FieldError]:
    """Of the volume at `path`: no two of its sources may write the same file."""
    errors: list[FieldError] = []
    taken: set[str] = set()
    for index, part in enumerate(source.get("sources") or ()):
        here = f"{path}.sources[{index}]"
        given = [field for field, value in part.items() if value is not None]
        for kind in given:
            value, at = part[kind], f"{here}.{kind}"
            match kind:
                case "secret" | "configMap":
                    errors += _keys(value, at, path, taken)
                case "downwardAPI":
                    errors += check_downward(value.get("items") or (), at)
                    written = (item.get("path", "") for item in value.get("items") or ())
                    errors += _taken(written, path, taken)
                case "serviceAccountToken":
                    errors += _token(value, at, path)
                case "clusterTrustBundle":
                    errors += _trust_bundle(value, at)
                    errors += _taken((value.get("path", ""),), path, taken)
                case "podCertificate":
                    errors += _certificate(value, at)
                    errors += _taken((value.get(field, "") for field in CERTIFICATE_PATHS), path, taken)
        if len(given) > 1:
            errors.append(fields.forbidden(here, "may not specify more than 1 volume type per source"))
    return errors


def _taken(written: Iterable[str], path: str, taken: set[str], shown: str | None = None) -> list[FieldError]:
    """`shown`: the value that upstream shows instead."""
    errors = []
    for one in written:
        if one and one in taken:
            errors.append(fields.invalid(path, one if shown is None else shown, _DUPLICATE))
        taken.add(one)
    return errors


def _keys(source: Object, at: str, path: str, taken: set[str]) -> list[FieldError]:
    """Of a Secret or ConfigMap."""
    name = source.get("name") or ""
    errors = [] if name else [fields.required(f"{at}.name")]
    errors += check_items(source.get("items") or (), f"{at}.items")
    written = (item.get("path", "") for item in source.get("items") or ())
    return [*errors, *_taken(written, path, taken, name)]


def check_items(items: object, path: str) -> list[FieldError]:
    errors = []
    for index, item in enumerate(items if isinstance(items, list | tuple) else ()):
        here = f"{path}[{index}]"
        if not item.get("key"):
            errors.append(fields.required(f"{here}.key"))
        if not item.get("path"):
            errors.append(fields.required(f"{here}.path"))
        errors += check_file_path(item.get("path", ""), f"{here}.path")
        errors += check_mode(item.get("mode"), f"{here}.mode")
    return errors


def check_downward(items: object, path: str) -> list[FieldError]:
    """`path` is the volume's or the source's: upstream names no item."""
    errors = []
    for item in items if isinstance(items, list | tuple) else ():
        if not item.get("path"):
            errors.append(fields.required(f"{path}.path"))
        errors += check_file_path(item.get("path", ""), f"{path}.path")
        field, amount = item.get("fieldRef"), item.get("resourceFieldRef")
        if field is not None:
            errors += environment.validate_field(field, f"{path}.fieldRef", of_volume=True)
            if amount is not None:
                text = "fieldRef and resourceFieldRef can not be specified simultaneously"
                errors.append(fields.invalid(path, "resource", text))
        elif amount is not None:
            errors += environment.validate_amount(amount, f"{path}.resourceFieldRef", of_volume=True)
        else:
            errors.append(fields.required(path, "one of fieldRef and resourceFieldRef is required"))
        errors += check_mode(item.get("mode"), f"{path}.mode")
    return errors


def check_file_path(value: str, path: str) -> list[FieldError]:
    """Below the volume, and not in the place of the kubelet's own links."""
    errors = mounts.check_descending(path, value)
    if value.startswith("..") and not value.startswith("../"):
        errors.append(fields.invalid(path, value, "must not start with '..'"))
    return errors


def check_mode(mode: int | None, path: str) -> list[FieldError]:
    return [] if mode is None or 0 <= mode <= MODE_MAX else [fields.invalid(path, mode, MODE_RANGE)]


def _token(token: Object, at: str, path: str) -> list[FieldError]:
    """The path's errors are told of the volume, as upstream."""
    errors = []
    seconds = token.get("expirationSeconds", 3600)
    if seconds < TOKEN_SECONDS_MIN:
        errors.append(
            fields.invalid(f"{at}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
        )
    if seconds > TOKEN_SECONDS_MAX:
        text = "may not specify a duration larger than 2^32 seconds"
        errors.append(fields.invalid(f"{at}.expirationSeconds", seconds, text))
    if not token.get("path"):
        return [*errors, fields.required(f"{path}.path")]
    return [*errors, *check_file_path(token["path"], f"{path}.path")]


def _trust_bundle(source: Object, at: str) -> list[FieldError]:
    name, signer = source.get("name"), source.get("signerName")
    errors: list[FieldError] = []
    if name is not None and signer is not None:
        errors.append(fields.invalid(at, source, "only one of name and signerName may be used"))
    elif name is not None:
        errors += _bundle_name(name, f"{at}.name")
        if (selector := source.get("labelSelector")) is not None:
            text = "labelSelector must be unset if name is specified"
            errors.append(fields.invalid(f"{at}.labelSelector", selector, text))
    elif signer is not None:
        if not signer:
            errors.append(fields.required(f"{at}.signerName", "must be a valid signer name"))
        errors += signers.validate_signer_name(signer, f"{at}.signerName")
        errors += metadata.label_selector(source.get("labelSelector"), f"{at}.labelSelector")
    else:
        errors.append(fields.required(at, "either name or signerName must be specified"))
    if not source.get("path"):
        errors.append(fields.required(f"{at}.path"))
    return [*errors, *check_file_path(source.get("path", ""), f"{at}.path")]


def _bundle_name(name: str, at: str) -> list[FieldError]:
    errors = [] if name else [fields.required(at, "must be a valid object name")]
    check = trust_bundles.name_check(name.rpartition(":")[0].replace(":", "/"))
    return [*errors, *(fields.invalid(at, name, f"not a valid clustertrustbundlename: {why}") for why in check(name))]


def _certificate(source: Object, at: str) -> list[FieldError]:
    signer, key_type = source.get("signerName", ""), source.get("keyType", "")
    errors = signers.validate_signer_name(signer, f"{at}.signerName")
    if key_type not in KEY_TYPES:
        errors.append(fields.not_supported(f"{at}.keyType", key_type, KEY_TYPES))
    seconds = source.get("maxExpirationSeconds")
    errors += signers.check_expiration(seconds, signer, f"{at}.maxExpirationSeconds")
    given = [field for field in CERTIFICATE_PATHS if source.get(field)]
    if not given:
        text = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"
        errors.append(fields.required(at, text))
    for field in given:
        errors += check_file_path(source[field], f"{at}.{field}")
    return [*errors, *signers.check_user_annotations(source.get("userAnnotations"), f"{at}.userAnnotations")]
