"""Keys that stand twice in one map of a body: readers keep the last, `fieldValidation` tells of them.

Source: the strict decoding of apimachinery (kjson for JSON, sigs.k8s.io/yaml for YAML) and its texts.
"""

import json
from collections.abc import Iterator
from typing import Any

import orjson
import yaml

_REPORTED_MAX = 32  # of one body; as many as of unknown fields


def of_json(body: bytes, value: Any) -> list[str]:
    """`duplicate field "spec.replicas"` for each. `value` is what the body was read as.

    A key that was dropped took its colon along, so counting colons finds out whether there is anything to look for: a body of
    3 kB costs 4 microseconds.
    """
    if body.count(b":") == orjson.dumps(value).count(b":"):
        return []
    try:
        pairs = json.loads(body, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return []
    return [f'duplicate field "{path}"' for path, is_again in _paths(pairs, "") if is_again][:_REPORTED_MAX]


def in_order(body: bytes, unknown: list[str], duplicates: list[str]) -> list[str]:
    """Both in the order of the body; an unknown field that stands twice is unknown and nothing else."""
    if not duplicates:
        return unknown
    places: dict[tuple[str, bool], int] = {}
    for place, field in enumerate(_paths(json.loads(body, object_pairs_hook=_Pairs), "")):
        places.setdefault(field, place)
    named = {_path(text) for text in unknown}
    found = [(places.get((_path(text), False), 0), text) for text in unknown]
    found += [(places.get((_path(text), True), 0), text) for text in duplicates if _path(text) not in named]
    return [text for _, text in sorted(found)]


def of_yaml(body: bytes, loader: Any) -> list[str]:
    """`line 11: key "foo" already set in map` for each. A body that could only be read as JSON (it has characters that YAML
    does not allow) is not looked into."""
    found: list[str] = []
    try:
        _look(body, loader, found)
    except yaml.YAMLError:
        return []
    return found[:_REPORTED_MAX]


def _look(body: bytes, loader: Any, found: list[str]) -> None:
    open_ones: list[set[str] | None] = []  # the keys seen so far; None for a list
    awaits_key: list[bool] = []
    for event in yaml.parse(body, Loader=loader):
        if isinstance(event, yaml.CollectionEndEvent):
            open_ones.pop()
            awaits_key.pop()
            _turn(open_ones, awaits_key)
            continue
        is_key = bool(open_ones) and open_ones[-1] is not None and awaits_key[-1]
        if isinstance(event, yaml.ScalarEvent) and is_key:
            keys = open_ones[-1]
            assert keys is not None, "a key stands in a map"
            if event.value in keys:
                line = event.start_mark.line + 1 if event.start_mark is not None else 0
                found.append(f'line {line}: key "{event.value}" already set in map')
            keys.add(event.value)
        if isinstance(event, yaml.CollectionStartEvent):
            open_ones.append(set() if isinstance(event, yaml.MappingStartEvent) else None)
            awaits_key.append(True)
        elif isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
            _turn(open_ones, awaits_key)


def yaml_error(found: list[str]) -> str:
    """The lines as upstream's YAML reader reports them."""
    return "yaml: unmarshal errors:\n  " + "\n  ".join(found)


def _turn(open_ones: list[set[str] | None], awaits_key: list[bool]) -> None:
    """After a key comes its value, after a value the next key."""
    if open_ones and open_ones[-1] is not None:
        awaits_key[-1] = not awaits_key[-1]


class _Pairs(list[tuple[str, Any]]):
    """An object with all its members."""


def _paths(value: Any, path: str) -> Iterator[tuple[str, bool]]:
    """Every field in the order of the body, and whether it stood there before."""
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, inner in value:
            where = f"{path}.{key}" if path else key
            yield where, key in seen
            seen.add(key)
            yield from _paths(inner, where)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(inner, f"{path}[{index}]")


def _path(text: str) -> str:
    return text.partition('"')[2].removesuffix('"')
