"""How Go declares the fields of Kubernetes' types, which the OpenAPI definitions do not tell. Pure data, from `go_fields.json`.

A type's fields by their number in protobuf, each with its name in JSON and its type: `[]` before it for lists, `map:` for maps;
before that `*` for a pointer, `!` for a field that is written although empty. An embedded field has no name. The others are
plain: JSON leaves them out when they are empty, so that `hostNetwork: false` and its absence are the same.
Made by `apiserver.protobuf.extract`.
"""

import functools
import pathlib

import orjson

FILE = pathlib.Path(__file__).with_name("go_fields.json")
SCALARS = frozenset(("string", "int", "bool", "double", "bytes"))


@functools.cache
def table() -> dict[str, dict[str, list[str]]]:
    """Type, as OpenAPI names it → number → [name, type]."""
    found: dict[str, dict[str, list[str]]] = orjson.loads(FILE.read_bytes())
    return found


def vanishing(name: str) -> frozenset[str]:
    """Fields whose zero is nothing: plain texts, numbers and booleans."""
    fields = table().get(name, {}).values()
    embedded = (vanishing(kind.lstrip("*!")) for field, kind in fields if not field)
    return frozenset(field for field, kind in fields if field and kind in SCALARS).union(*embedded)
