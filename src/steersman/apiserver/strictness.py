"""`fieldValidation`: unknown and duplicate fields are dropped, warned of, or refused, in upstream's words for each kind of request.

Source: "Server side field validation" (KEP-2885) and the create, update and patch handlers of upstream's apiserver.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from steersman.api import schema
from steersman.apiserver import duplicates as twice
from steersman.apiserver import negotiation
from steersman.apiserver.call import Call
from steersman.meta import errors
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

# What a decoding error becomes, from its text.
Refuse = Callable[[str], errors.StatusError]


class Decoded(NamedTuple):
    """`texts` name the unknown fields."""

    obj: Object
    texts: list[str]


def duplicates(call: Call, obj: Object) -> list[str]:
    """Of the body that was read as `obj`."""
    if call.field_validation == "Ignore":
        return []
    if negotiation.is_json(call.request):
        return twice.of_json(call.request.body, obj)
    if negotiation.is_yaml(call.request) and (found := negotiation.yaml_duplicates(call.request.body)):
        return [twice.yaml_error(found)]
    return []


def decoded(types: schema.Schema, call: Call, obj: Object, refuse: Refuse | None) -> Decoded:
    """Raises StatusError for a wrong type."""
    mode = call.field_validation
    try:
        return Decoded(*types.decode(call.kind, obj, "Ignore" if mode == "Ignore" else "Warn"))
    except errors.StatusError as refusal:
        _, found, why = str(refusal.status["message"]).partition(f" cannot be handled as a {call.kind.kind}: ")
        if refuse is None or not found:
            raise
        raise refuse(why) from refusal


def tell(call: Call, unknown: list[str], found: Sequence[str], refuse: Refuse | None) -> None:
    """Warn of them, or raise StatusError."""
    texts = unknown
    if found:
        is_json = negotiation.is_json(call.request)
        texts = twice.in_order(call.request.body, unknown, list(found)) if is_json else [*found, *unknown]
    if not texts:
        return
    if call.field_validation != "Strict":
        call.warnings.extend(one_line(text) for text in texts)
        return
    why = "strict decoding error: " + ", ".join(texts)
    raise refuse(why) if refuse is not None else schema.cannot_be_handled(call.kind, why)


def one_line(text: str) -> str:
    """As a warning, which stands in a header."""
    return " ".join(text.split())


def of_patch(*, is_strategic: bool, patch: Any, patched: Object) -> Refuse:
    """A patch is refused with the patch itself, or with what it makes of the object."""

    def refuse(why: str) -> errors.StatusError:
        shown = go_text(patch) if is_strategic else orjson.dumps(patched).decode()
        message = f"Invalid value: {orjson.dumps(shown).decode()}: {why}"
        return errors.invalid("", "", [FieldError("patch", "FieldValueInvalid", message)])

    return refuse


def go_text(value: Any) -> str:
    """A JSON value as Go's `%+v` prints it: `map[spec:map[replicas:2]]`."""
    match value:
        case dict():
            return "map[" + " ".join(f"{key}:{go_text(value[key])}" for key in sorted(value)) + "]"
        case list():
            return "[" + " ".join(go_text(one) for one in value) + "]"
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
    return str(value)
