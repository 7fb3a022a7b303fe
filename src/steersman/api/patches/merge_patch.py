"""Merge patch (RFC 7386): maps merge, null deletes, everything else replaces."""

from typing import Any

from steersman.meta import errors
from steersman.meta.objects import Object

MEDIA_TYPE = "application/merge-patch+json"


def apply(obj: Object, patch: Any) -> Object:
    """Raises StatusError 400 when the patch is no object."""
    if not isinstance(patch, dict):
        raise errors.bad_request("the merge patch is not a JSON object")
    try:
        return _merged(obj, patch)
    except RecursionError as why:
        raise errors.bad_request("exceeded max depth") from why


def _merged(target: Any, patch: dict[str, Any]) -> dict[str, Any]:
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = _merged(result.get(key), value)
        else:
            result[key] = value
    return result
