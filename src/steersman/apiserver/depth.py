"""How deep a body may be nested. Source: Go's JSON reader has a limit of 10,000; no object of any kind comes near ours.

Ours is what every later step can walk through by recursion, and what can be written again with room for what is put around it.
"""

from typing import Any

import orjson

from steersman.meta import errors

MAX = 200
_OF_WRITER = 254  # orjson's own limit


def check_json(body: bytes, value: Any) -> None:
    """Raises StatusError 400. `value` is what the body was read as; most bodies have not even so many brackets."""
    if body.count(b"{") + body.count(b"[") > MAX:
        check(value)


def check(value: Any) -> None:
    """Raises StatusError 400."""
    for _ in range(_OF_WRITER - MAX):
        value = [value]
    try:
        orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as wrong:
        if is_too_deep(wrong):
            raise refusal() from wrong


def is_too_deep(error: BaseException) -> bool:
    """What Python and orjson raise when something is nested too deep for them."""
    return isinstance(error, RecursionError) or (isinstance(error, TypeError) and "Recursion limit" in str(error))


def refusal() -> errors.StatusError:
    return errors.bad_request("couldn't get version/kind; json parse error: exceeded max depth")
