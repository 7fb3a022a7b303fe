"""PATCH bodies: which kind of patch, and what it makes of an object. Pure.

Leaves to others: the patches themselves (`api.patches`), writing the result (`writing`).
"""

import dataclasses
from typing import Any

from steersman.api.patches import json_patch, merge_patch, strategic_merge
from steersman.apiserver import negotiation
from steersman.apiserver.call import Call
from steersman.meta import errors
from steersman.meta.objects import Object

JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


@dataclasses.dataclass(frozen=True, slots=True)
class Patch:
    media_type: str
    body: Any


def read(call: Call) -> Patch:
    """Raises StatusError 400 or 415."""
    media_type = negotiation.content_type(call.request)
    accepted = [JSON, MERGE, STRATEGIC]
    if media_type not in accepted:
        raise errors.unsupported_media_type(", ".join(accepted))
    body = negotiation.read_json_value(call.request.body)
    if media_type != JSON and not isinstance(body, dict):
        raise errors.bad_request("json: cannot unmarshal the patch into Go value of type map[string]interface {}")
    return Patch(media_type, body)


def apply(call: Call, patch: Patch, obj: Object) -> Object:
    """A new object; parts may be shared with `obj`. Raises StatusError."""
    if patch.media_type == JSON:
        new = json_patch.apply(obj, patch.body)
    elif patch.media_type == MERGE:
        new = merge_patch.apply(obj, patch.body)
    else:
        new = strategic_merge.apply(call.kind, obj, patch.body)
    if not isinstance(new, dict):
        raise errors.bad_request("json: cannot unmarshal the patched document into an object")
    return new


def apply_to_scale(call: Call, patch: Patch, scale: Object) -> Object:
    """A patch of `…/scale`. A Scale has no lists, so a strategic merge is a plain merge."""
    if patch.media_type == JSON:
        return json_patch.apply(scale, patch.body)
    return merge_patch.apply(scale, patch.body)
