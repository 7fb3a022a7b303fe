"""Objects of kinds that have no description of their own: every field, under a title made of its name."""

import re
from typing import Any

from steersman.kubectl.describe import events
from steersman.kubectl.describe.writing import Description, head
from steersman.kubectl.printers import go_values
from steersman.meta.objects import Object

_SHOWN_ABOVE = frozenset((
    ".metadata.managedFields", ".metadata.name", ".metadata.namespace", ".metadata.labels", ".metadata.annotations",
))  # fmt: skip
_ACRONYMS = frozenset(("API", "URL", "UID", "OSB", "GUID"))
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z][a-z]+|[A-Z]+|[a-z]+|\W+|[^\W\dA-Za-z_]+|_+")


def anything(d: Description, obj: Object) -> None:
    head(d, obj)
    _content(d, 0, obj, "")
    events.write(d)


def _content(d: Description, level: int, content: Object, path: str) -> None:
    for field, value in sorted(content.items()):
        here = f"{path}.{field}"
        if here in _SHOWN_ABOVE:
            continue
        match value:
            case dict():
                d.write(level, f"{title(field)}:\n")
                _content(d, level + 1, value, here)
            case list():
                d.write(level, f"{title(field)}:\n")
                for child in value:
                    _child(d, level + 1, child, here)
            case _:
                d.row(level, f"{title(field)}:", go_values.show(value))


def _child(d: Description, level: int, child: Any, path: str) -> None:
    if isinstance(child, dict):
        _content(d, level, child, path)
    else:
        d.write(level, f"{go_values.show(child)}\n")


def title(field: str) -> str:
    """`apiVersion` is `API Version`; names with digits and signs stay as they are."""
    if not all(char.isalpha() or char == "-" for char in field):
        return field
    words: list[str] = []
    for word in _WORDS.findall(field):
        if word.upper() in _ACRONYMS:
            words.append(word.upper())
        else:
            words.append(word.title() if word == word.lower() else word)
    return " ".join(words)
