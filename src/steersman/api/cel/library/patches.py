"""`jsonpatch.escapeKey`: a key as a part of a JSON pointer. Source: apiserver's cel/library/jsonpatch.go."""

from steersman.api.cel.functions import Functions, plain
from steersman.api.cel.types import STRING


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


FUNCTIONS: Functions = {
    "jsonpatch.escapeKey": (plain("string_jsonpatch_escapeKey_string", (STRING,), STRING, _escape),)
}
