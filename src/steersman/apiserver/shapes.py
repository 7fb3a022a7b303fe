"""Objects in the shape a client asked for: themselves, a Table, or their metadata only; as JSON or YAML."""

from collections.abc import Sequence
from typing import Any, cast

import orjson

from steersman.aio import clock as clocks
from steersman.api.printing import tables
from steersman.apiserver import negotiation
from steersman.apiserver.call import Call
from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.serving import messages

_ONE, _LIST = "PartialObjectMetadata", "PartialObjectMetadataList"
_INCLUDE = ("", "None", "Metadata", "Object")


class Shaper:
    def __init__(self, clock: clocks.Clock) -> None:
        self._clock = clock

    def one(self, call: Call, value: bytes, status: int = 200) -> messages.Response:
        """A stored object, as bytes where they can be used as they are."""
        if call.form.shape == _LIST:
            kind = f"*{call.kind.version}.{call.kind.kind}"
            raise _other_shape(f"you requested {_LIST}, but the requested object is not a list ({kind})")
        if not call.form.shape:
            return negotiation.respond_bytes(call.form, value, status, pretty=call.pretty)
        return negotiation.respond(call.form, self.shape(call, orjson.loads(value)), status, pretty=call.pretty)

    def many(self, call: Call, items: Sequence[Object], meta: dict[str, Any]) -> messages.Response:
        kind, shape = call.kind, call.form.shape
        if shape == _ONE:
            text = f"you requested {_ONE}, but the requested object is a list (*{kind.version}.{kind.kind}List)"
            raise _other_shape(text)
        if shape == "Table":
            body = self._table(call, items, meta, headers=True)
        elif shape:
            body = {**tables.partial_metadata_list(items, meta), "apiVersion": _meta_version(call)}
        else:
            bare = items if kind.custom is not None else [_untyped(item) for item in items]
            body = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta, "items": bare}
        return negotiation.respond(call.form, body, pretty=call.pretty)

    def shape(self, call: Call, obj: Object, *, headers: bool = True) -> Object:
        """One object as the Table or PartialObjectMetadata the call asks for."""
        if call.form.shape == "Table":
            meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            return self._table(call, [obj], meta, headers=headers)
        if call.form.shape:
            return {**tables.partial_metadata(obj), "apiVersion": _meta_version(call)}
        return obj

    def _table(self, call: Call, items: Sequence[Object], meta: dict[str, Any], *, headers: bool) -> Object:
        include = cast(tables.IncludeObject, include_of(call))
        now = call.then.time if call.then is not None else self._clock.now()
        found = tables.table(call.kind, items, now, include=include, metadata=meta, headers=headers)
        found["apiVersion"] = _meta_version(call)
        return found


def _untyped(obj: Object) -> Object:
    """As items of a list are: their Go types say what they are."""
    return {field: value for field, value in obj.items() if field not in ("kind", "apiVersion")}


def _other_shape(text: str) -> errors.StatusError:
    return errors.StatusError(errors.status(406, "NotAcceptable", text))


def include_of(call: Call) -> str:
    """What of the objects a Table carries. Raises StatusError 422."""
    include = call.parameter("includeObject")
    if include not in _INCLUDE:
        message = f"Invalid value: \"{include}\": must be 'Metadata', 'Object', 'None', or empty"
        cause = errors.FieldError("includeObject", "FieldValueInvalid", message)
        raise errors.invalid("TableOptions", "", [cause], "meta.k8s.io")
    return include or "Metadata"


def _meta_version(call: Call) -> str:
    return f"meta.k8s.io/{call.form.shape_version}"
