"""YAML as kubectl reads and writes it: Go's rules for what a plain word is, Go's order of keys, Go's choice of quotes.

Source of the rules: goyaml v2's resolve.go, encode.go and sorter.go, as sigs.k8s.io/yaml uses them.
"""

import functools
import re
from collections.abc import Iterator
from typing import Any

import yaml

from steersman.kubectl.go_numbers import go_float
from steersman.kubectl.go_words import resolve

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

SEPARATOR = b"---"
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?").fullmatch
_TIMESTAMP = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([Tt ]\s*\d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?\s*([Zz]|[-+]\d{1,2}(:\d\d)?)?)?"
).fullmatch


class BadYaml(ValueError):
    """The text is no YAML; the message is Go's, without what stands before it."""


class BadSeparator(BadYaml):
    """More than a comment stands behind `---`."""


class _Loader(_LOADER):  # type: ignore[misc]
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 -- every plain word comes to _scalar as a text

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)


def _scalar(loader: Any, node: yaml.ScalarNode) -> Any:
    return node.value if node.style else resolve(node.value)  # quoted words are texts


def _mapping(loader: Any, node: yaml.MappingNode) -> Iterator[Any]:
    """JSON has no other keys than texts; `<<` puts another mapping's in."""
    found: dict[str, Any] = {}
    yield found
    for key, _ in node.value:
        if key.value == "<<" and not key.style:
            key.tag = "tag:yaml.org,2002:merge"
    loader.flatten_mapping(node)
    for key, value in node.value:
        found[_key(loader.construct_object(key, deep=True))] = loader.construct_object(value)


_Loader.add_constructor("tag:yaml.org,2002:str", _scalar)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_all(text: str | bytes) -> Iterator[Any]:
    """Each document that is there. Raises BadYaml."""
    try:
        yield from yaml.load_all(text, Loader=_Loader)
    except yaml.YAMLError as broken:
        raise BadYaml(_message(broken)) from broken


def read_manifests(text: bytes) -> Iterator[Any]:
    """What each piece of a manifest holds, None for an empty one. Raises BadYaml, BadSeparator."""
    for piece in _pieces(text):
        yield next(read_all(piece), None)


def _pieces(text: bytes) -> Iterator[bytes]:
    """Upstream takes manifests apart by lines, before anything knows YAML; each piece counts its own lines."""
    piece: list[bytes] = []
    for line in text.removesuffix(b"\n").split(b"\n"):
        if line.startswith(SEPARATOR):
            behind = line.removeprefix(SEPARATOR).strip()
            if behind and not behind.startswith(b"#"):
                raise BadSeparator(f"invalid Yaml document separator: {behind.decode(errors='replace')}")
            if piece:
                yield b"\n".join(piece) + b"\n"
                piece = []
                continue
        piece.append(line.removesuffix(b"\r"))
    if piece:
        yield b"\n".join(piece) + b"\n"


def _message(broken: yaml.YAMLError) -> str:
    """As Go counts lines: the context's before the problem's, none for the first, and scanners one behind."""
    marks = [getattr(broken, name, None) for name in ("context_mark", "problem_mark")]
    line = next((mark.line for mark in marks if mark is not None and mark.line), 0)
    if line and isinstance(broken, yaml.scanner.ScannerError):
        line += 1
    problem = getattr(broken, "problem", None) or str(broken)
    return f"yaml: line {line}: {problem}" if line else f"yaml: {problem}"


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)


def dump(value: Any) -> str:
    """One document, without a separator."""
    text: str = yaml.dump(_sorted(value), Dumper=_Dumper, default_flow_style=False, sort_keys=False, allow_unicode=True)
    return text.removesuffix("...\n")


class _Dumper(_DUMPER):  # type: ignore[misc]
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 -- styles are chosen here, tags are never written

    def ignore_aliases(self, data: Any) -> bool:
        return True


_TEXT = "tag:yaml.org,2002:str"


def _represent_text(dumper: Any, text: str) -> Any:
    if resolve(text) != text or resolve(text) is not text or _BASE_60(text) or _TIMESTAMP(text):
        return dumper.represent_scalar(_TEXT, text, style='"')
    return dumper.represent_scalar(_TEXT, text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(bool, lambda dumper, value: dumper.represent_scalar(_TEXT, "true" if value else "false"))
_Dumper.add_representer(int, lambda dumper, value: dumper.represent_scalar(_TEXT, str(value)))
_Dumper.add_representer(float, lambda dumper, value: dumper.represent_scalar(_TEXT, go_float(value)))
_Dumper.add_representer(type(None), lambda dumper, value: dumper.represent_scalar(_TEXT, "null"))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=_in_order)}
    if isinstance(value, list):
        return [_sorted(inner) for inner in value]
    return value


def _less(one: str, other: str) -> bool:
    """Numbers in keys count as numbers, and letters come after everything else."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a == b:
            continue
        if a.isalpha() and b.isalpha():
            return a < b
        if a.isalpha() or b.isalpha():
            return b.isalpha()
        start = 0
        if a == "0" or b == "0":
            before = re.search(r"\d*$", one[:place])
            start = 1 if before and before.group().strip("0") else 0
        number_a, end_a = _number(one, place, start)
        number_b, end_b = _number(other, place, start)
        if number_a != number_b:
            return number_a < number_b
        return end_a < end_b if end_a != end_b else a < b
    return len(one) < len(other)


def _number(text: str, place: int, start: int) -> tuple[int, int]:
    end = place
    number = start
    while end < len(text) and text[end].isdigit():
        number = number * 10 + int(text[end])
        end += 1
    return number, end


def _compare(one: str, other: str) -> int:
    return -1 if _less(one, other) else 1 if _less(other, one) else 0


_in_order = functools.cmp_to_key(_compare)
