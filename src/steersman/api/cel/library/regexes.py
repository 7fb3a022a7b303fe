"""`find` and `findAll`. Source: apiserver's cel/library/regex.go."""

from steersman.api.cel import types
from steersman.api.cel.functions import Functions, member
from steersman.api.cel.types import INT, STRING
from steersman.api.cel.values import EvalError
from steersman.meta import patterns


def _find(text: str, expression: str) -> str:
    try:
        found = patterns.compiled(expression).search(text)
    except patterns.Unsupported as wrong:
        raise EvalError(f"Illegal regex: {wrong}") from None
    return found[0] if found else ""


def _find_all(text: str, expression: str, limit: int = -1) -> list[str]:
    try:
        found = [match[0] for match in patterns.compiled(expression).finditer(text)]
    except patterns.Unsupported as wrong:
        raise EvalError(f"Illegal regex: {wrong}") from None
    return found if limit < 0 else found[:limit]


FUNCTIONS: Functions = {
    "find": (member("string_find_string", (STRING, STRING), STRING, _find),),
    "findAll": (
        member("string_find_all_string", (STRING, STRING), types.list_of(STRING), _find_all),
        member("string_find_all_string_int", (STRING, STRING, INT), types.list_of(STRING), _find_all),
    ),
}
