"""YAML that is small but means a lot, or lies too deep: refused before anything is built from it.

Keeps true: what is read afterwards is no larger than a JSON body may be (aliases of aliases grow ninefold with every line), and
no deeper than the reader's stack. Looks at the parser's events only, which come one by one without recursion.
"""

import dataclasses
from typing import Any

import yaml

DEPTH_MAX = 1000  # nested JSON bodies may be 1,024 deep (orjson); the C reader of YAML needs some hundred bytes of stack for each
MEANT_BYTES_MAX = 3 * 1024 * 1024  # as a body of JSON


class ExcessiveYaml(ValueError):
    """The text is for the user."""


@dataclasses.dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    anchor: str | None
    size: int = 0


def check(body: bytes, loader: Any) -> None:
    """Raises ExcessiveYaml, or yaml.YAMLError where `body` is none."""
    open_ones = [_Open(None)]
    sizes: dict[str, int] = {}  # of what the anchors stand for, in bytes as if written out
    for event in yaml.parse(body, Loader=loader):
        if isinstance(event, yaml.ScalarEvent):
            size = len(event.value) + 1
            open_ones[-1].size += size
            if event.anchor is not None:
                sizes[event.anchor] = size
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(open_ones) > DEPTH_MAX:
                raise ExcessiveYaml("document exceeds the depth limit")
            open_ones.append(_Open(event.anchor, 1))
        elif isinstance(event, yaml.CollectionEndEvent):
            closed = open_ones.pop()
            open_ones[-1].size += closed.size
            if closed.anchor is not None:
                sizes[closed.anchor] = closed.size
        elif isinstance(event, yaml.AliasEvent):
            if any(one.anchor == event.anchor for one in open_ones):
                raise ExcessiveYaml(f"anchor '{event.anchor}' value contains itself")
            open_ones[-1].size += sizes.get(event.anchor or "", 0)
            if open_ones[-1].size > MEANT_BYTES_MAX:
                raise ExcessiveYaml("document contains excessive aliasing")
