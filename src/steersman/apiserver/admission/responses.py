"""What a webhook answered, and what that means for the write. Pure.

Source: upstream's apiserver/pkg/admission/plugin/webhook, request and errors.
"""

import base64
import binascii
import dataclasses
from typing import Any, cast

import orjson

from steersman.meta import errors
from steersman.meta.objects import Object

GROUP = "admission.k8s.io"
VERSIONS = ("v1", "v1beta1")
_JSON_PATCH = "JSONPatch"


class Invalid(ValueError):
    """It is no answer to what was asked."""


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """`patch` is a JSON patch, None where there is none; `result` the webhook's Status."""

    allowed: bool
    result: Object
    patch: Any = None
    warnings: tuple[str, ...] = ()
    annotations: dict[str, str] = dataclasses.field(default_factory=dict)


def review(request: Object, version: str) -> bytes:
    """The AdmissionReview to send."""
    return orjson.dumps({"kind": "AdmissionReview", "apiVersion": f"{GROUP}/{version}", "request": request})


def read(body: bytes, uid: str, version: str, *, mutating: bool) -> Verdict:
    """Raises Invalid."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise Invalid(f"couldn't get version/kind; json parse error: {wrong}") from wrong
    response = answer.get("response") if isinstance(answer, dict) else None
    if not isinstance(response, dict):
        raise Invalid("webhook response was absent")
    if version == "v1":
        _check_v1(answer, response, uid, mutating=mutating)
    warnings = response.get("warnings") or ()
    annotations = response.get("auditAnnotations") or {}
    result = response.get("status") or {}
    return Verdict(
        allowed=response.get("allowed") is True,
        result=cast(Object, result) if isinstance(result, dict) else {},
        patch=_patch(response) if mutating else None,
        warnings=tuple(str(text) for text in warnings) if isinstance(warnings, list) else (),
        annotations={str(key): str(value) for key, value in annotations.items()}
        if isinstance(annotations, dict)
        else {},
    )


def _check_v1(answer: Object, response: Object, uid: str, *, mutating: bool) -> None:
    found = response.get("uid", "")
    if found != uid:
        raise Invalid(f'expected response.uid="{uid}", got "{found}"')
    api_version, kind = str(answer.get("apiVersion", "")), str(answer.get("kind", ""))
    if (api_version, kind) != (f"{GROUP}/v1", "AdmissionReview"):
        raise Invalid(
            f"expected webhook response of {GROUP}/v1, Kind=AdmissionReview, got {api_version or '/'}, Kind={kind}"
        )
    patch, patch_type = response.get("patch"), response.get("patchType")
    if not mutating:
        if patch:
            raise Invalid("validating webhook may not return response.patch")
        if patch_type is not None:
            raise Invalid("validating webhook may not return response.patchType")
    elif patch and patch_type is None:
        raise Invalid("webhook returned response.patch but not response.patchType")
    elif not patch and patch_type is not None:
        raise Invalid("webhook returned response.patchType but not response.patch")
    elif patch_type == "":
        raise Invalid('webhook returned invalid response.patchType of ""')
    elif patch_type not in (None, _JSON_PATCH):
        raise Invalid(f'unsupported patch type "{patch_type}"')


def _patch(response: Object) -> Any:
    encoded = response.get("patch")
    if not encoded:
        return None
    try:
        return orjson.loads(base64.b64decode(encoded))
    except (binascii.Error, orjson.JSONDecodeError, TypeError, ValueError) as wrong:
        raise errors.internal(f"error decoding patch: {wrong}") from wrong


def denial(webhook: str, result: Object) -> errors.StatusError:
    """The Status a client gets: the webhook's, made a failure, with its name before the message."""
    denied = f'admission webhook "{webhook}" denied the request'
    code, status = result.get("code"), result.get("status")
    found: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, **result}
    found["code"] = code if isinstance(code, int) and code >= 400 else 400
    found["status"] = status if status not in (None, "", "Success") else "Failure"
    why = result.get("message") or result.get("reason")
    found["message"] = f"{denied}: {why}" if why else f"{denied} without explanation"
    return errors.StatusError(found)


def no_dry_run(webhook: str) -> errors.StatusError:
    return errors.bad_request(f'admission webhook "{webhook}" does not support dry run')


def failed(webhook: str, why: str) -> errors.StatusError:
    """A call that failed, where the webhook's policy is to fail then."""
    return errors.internal(f'failed calling webhook "{webhook}": {why}')
