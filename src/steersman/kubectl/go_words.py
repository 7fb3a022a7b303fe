"""What a plain word of YAML means to Go. Pure. Source: goyaml v2's resolve.go."""

import re
from typing import Any

_TRUE = frozenset(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
_FALSE = frozenset(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?").fullmatch
_SPECIAL_FLOAT = {".nan": float("nan"), ".inf": float("inf"), "+.inf": float("inf"), "-.inf": float("-inf")}
_INTEGER = re.compile(r"[-+]?(0b[01]+|0o?[0-7]+|0x[0-9a-fA-F]+|[1-9][0-9]*|0)").fullmatch


def resolve(word: str) -> Any:
    """What a plain word means: null, a bool, a number, or the text itself."""
    if word in _NULL:
        return None
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    if not (word[0].isdigit() or word[0] in "+-."):
        return word
    lower = word.lower()
    if lower in _SPECIAL_FLOAT:
        return _SPECIAL_FLOAT[lower]
    plain = word.replace("_", "")
    if _INTEGER(plain):
        return _integer(plain)
    return float(plain) if _FLOAT(plain) else word


def _integer(text: str) -> int:
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        return sign * int(digits, 8)
    return sign * int(digits, 0)
