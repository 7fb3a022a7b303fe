"""What is wrong with a scalar, and values as Go prints them, for upstream's messages."""

from typing import Any


def wrong_scalar(kind: str, value: Any) -> str:
    """The message for a value that is not of that kind of scalar; "" for one that is."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "numeric" and not is_number:
        return f"expected numeric (int or float), got {_go_type(value)}"
    if kind == "string" and not isinstance(value, str):
        return f"expected string, got &value.valueUnstructured{{Value:{shown(value)[2:-1]}}}"
    if kind == "boolean" and not isinstance(value, bool):
        return f"expected boolean, got {shown(value)}"
    if kind == "untyped" and isinstance(value, (dict, list)):
        return f"expected any scalar, got {shown(value)}"
    return ""


def _go_type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case list():
            return "[]interface {}"
    return "map[string]interface {}"


def shown(value: Any) -> str:
    """A value as Go prints it inside of a message."""
    return f"&{{{_go_text(value)}}}"


def _go_text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "<nil>"
        case list():
            return "[" + " ".join(_go_text(one) for one in value) + "]"
        case dict():
            return "map[" + " ".join(f"{key}:{_go_text(one)}" for key, one in sorted(value.items())) + "]"
    return str(value)
