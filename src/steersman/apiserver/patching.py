"""PATCH bodies: which kind of patch, and what it makes of an object. Pure.

Leaves to others: the patches themselves (`api.patches`), writing the result (`writing`).
"""

import dataclasses
from typing import Any

import orjson

from steersman.api import checks
from steersman.api.managed_fields import entries
from steersman.api.patches import apply as apply_patch
from steersman.api.patches import json_patch, merge_patch, strategic_merge
from steersman.apiserver import depth, duplicates, negotiation, strictness
from steersman.apiserver.call import Call
from steersman.meta import errors
from steersman.meta.objects import Object

JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = apply_patch.MEDIA_TYPE


@dataclasses.dataclass(frozen=True, slots=True)
class Patch:
    """`duplicates` are keys that stand twice in a map of it."""

    media_type: str
    body: Any
    duplicates: tuple[str, ...] = ()


def read(call: Call) -> Patch:
    """Raises StatusError 400, 415 or 422."""
    media_type = negotiation.content_type(call.request)
    accepted = [JSON, MERGE, STRATEGIC, APPLY]
    if media_type not in accepted:
        raise errors.unsupported_media_type(", ".join(accepted))
    if call.parameters:
        _check_options(call, is_apply=media_type == APPLY)
    elif media_type == APPLY:
        raise _options_error([_MANAGER_REQUIRED])
    if media_type == APPLY:
        return Patch(media_type, _read_applied(call))
    body = negotiation.read_json_value(call.request.body)
    if media_type != JSON and not isinstance(body, dict):
        raise errors.bad_request("json: cannot unmarshal the patch into Go value of type map[string]interface {}")
    return Patch(media_type, body, tuple(strictness.duplicates(call, body)))


_MANAGER_REQUIRED = errors.FieldError(
    "fieldManager", "FieldValueRequired", "Required value: is required for apply patch"
)


def _check_options(call: Call, *, is_apply: bool) -> None:
    causes = []
    manager = call.parameter("fieldManager")
    if not is_apply and call.parameters.get("force"):
        why = "Forbidden: may not be specified for non-apply patch"
        causes.append(errors.FieldError("force", "FieldValueForbidden", why))
    if is_apply and not manager:
        causes.append(_MANAGER_REQUIRED)
    causes += entries.validate_manager(manager)
    if causes:
        raise _options_error(causes)


def _options_error(causes: list[errors.FieldError]) -> errors.StatusError:
    return errors.invalid("PatchOptions", "", causes, "meta.k8s.io")


def _read_applied(call: Call) -> Object:
    """An apply configuration: YAML, of which JSON is a part."""
    body = call.request.body
    try:
        found = orjson.loads(body)  # what programs send
        depth.check_json(body, found)
        doubtful = call.field_validation != "Ignore" and bool(duplicates.of_json(body, found))
    except orjson.JSONDecodeError:
        found = negotiation.read_yaml(body)
        doubtful = call.field_validation != "Ignore"
    if doubtful and (lines := negotiation.yaml_duplicates(body)):
        why = f"error converting YAML to JSON: {duplicates.yaml_error(lines)}"
        if call.field_validation == "Strict":
            raise errors.bad_request(f"error strict decoding YAML: {why}")
        call.warnings.append(strictness.one_line(why))
    if not isinstance(found, dict):
        raise errors.bad_request(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "
            f"{checks.json_type(found)} into Go value of type map[string]interface {{}}"
        )
    return found


def apply(call: Call, patch: Patch, obj: Object) -> Object:
    """What a patch other than an apply makes: a new object; parts may be shared with `obj`. Raises StatusError."""
    if patch.media_type == JSON:
        new = json_patch.apply(obj, patch.body)
    elif patch.media_type == MERGE:
        new = merge_patch.apply(obj, patch.body)
    else:
        new = _of_its_type(strategic_merge.apply(call.kind, obj, patch.body), obj)
    if not isinstance(new, dict):
        raise errors.bad_request("json: cannot unmarshal the patched document into an object")
    return new


def apply_to_scale(call: Call, patch: Patch, scale: Object) -> Object:
    """A patch of `…/scale`. A Scale has no lists, so a strategic merge is a plain merge."""
    if patch.media_type == JSON:
        return json_patch.apply(scale, patch.body)
    new = merge_patch.apply(scale, patch.body)
    return _of_its_type(new, scale) if patch.media_type == STRATEGIC else new


def _of_its_type(new: Object, old: Object) -> Object:
    """A strategic merge works on an object whose type is known: as upstream, what the patch calls it does not matter.
    Ansible's k8s_scale relies on it: its patch of a Scale says that it is a Deployment."""
    new.update({name: old[name] for name in ("apiVersion", "kind") if name in old})
    return new
