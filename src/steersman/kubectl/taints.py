"""Taints as the command line writes them (`key=value:effect`, `key:effect-`, `key-`), and what they make of a node's.

Pure. Source: kubectl's pkg/cmd/taint.
"""

import dataclasses
from collections.abc import Sequence

from steersman.kubectl.problems import CommandError, raise_all
from steersman.meta import names
from steersman.meta.objects import Object

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


class TaintError(CommandError):
    """The text is upstream's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Taint:
    key: str
    value: str = ""
    effect: str = ""

    def __str__(self) -> str:
        if not self.effect:
            return f"{self.key}={self.value}:" if self.value else self.key
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


def is_taint(text: str) -> bool:
    """Whether an argument is a taint and no resource."""
    return "=" in text or ":" in text or text.endswith("-")


def parse(texts: Sequence[str]) -> tuple[list[Taint], list[Taint]]:
    """Those to add, those to remove. Raises TaintError."""
    added: list[Taint] = []
    removed: list[Taint] = []
    for text in texts:
        if text.endswith("-"):
            gone = _parse_one(text[:-1])
            removed.append(Taint(gone.key, effect=gone.effect))
            continue
        taint = _parse_one(text)
        if not taint.effect:
            raise TaintError(f"invalid taint spec: {text}")
        if any(_is_same(taint, other) for other in added):
            raise TaintError(f"duplicated taints with the same key and effect: {_as_go(taint)}")
        added.append(taint)
    return added, removed


def conflicts(added: Sequence[Taint], removed: Sequence[Taint]) -> list[str]:
    """What is to be both added and removed, as it is told."""
    return [
        f"{gone.key}={gone.effect}"
        for new in added
        for gone in removed
        if new.key == gone.key and gone.effect in ("", new.effect)
    ]


def change(
    node: Object, added: Sequence[Taint], removed: Sequence[Taint], *, overwrite: bool
) -> tuple[str, list[Object]]:
    """What happened (tainted, untainted, modified) and the node's taints after it. Raises TaintError, Several."""
    before: list[Object] = node.get("spec", {}).get("taints") or []
    old = [_of(taint) for taint in before]
    there = [new.key for new in added for taint in old if _is_same(new, taint)]
    if there and not overwrite:
        name, keys = node["metadata"]["name"], ",".join(there)
        raise TaintError(f"node {name} already has {keys} taint(s) with same effect(s) and --overwrite is false")
    kept = [taint for taint, parsed in zip(before, old, strict=True) if not any(_is_same(parsed, new) for new in added)]
    result = [_object(taint) for taint in added] + kept
    has_added = len(result) != len(before)
    has_removed, missing = False, []
    for gone in removed:
        left = [taint for taint in result if not _is_meant(gone, taint)]
        has_removed = len(left) != len(result)  # upstream's: the last one decides
        result = left
        if not has_removed:
            missing.append(f'taint "{gone}" not found')
    raise_all([TaintError(text) for text in missing])
    if overwrite or (has_added and has_removed):
        return "modified", result
    return ("tainted" if has_added else "untainted"), result


def _parse_one(text: str) -> Taint:
    parts = text.split(":")
    if len(parts) > 2:
        raise TaintError(f"invalid taint spec: {text}")
    key, value, effect = parts[0], "", ""
    if len(parts) == 2:
        effect = parts[1]
        if effect not in EFFECTS:
            raise TaintError(f"invalid taint effect: {effect}, unsupported taint effect")
        key, *values = parts[0].split("=")
        if len(values) > 1:
            raise TaintError(f"invalid taint spec: {text}")
        value = values[0] if values else ""
        if wrong := names.label_value_errors(value):
            raise TaintError(f"invalid taint spec: {text}, {'; '.join(wrong)}")
    if wrong := names.qualified_name_errors(key):
        raise TaintError(f"invalid taint spec: {text}, {'; '.join(wrong)}")
    return Taint(key, value, effect)


def _is_same(one: Taint, other: Taint) -> bool:
    return (one.key, one.effect) == (other.key, other.effect)


def _is_meant(gone: Taint, taint: Object) -> bool:
    return gone.key == taint.get("key") and gone.effect in ("", taint.get("effect"))


def _of(taint: Object) -> Taint:
    return Taint(taint.get("key", ""), taint.get("value", ""), taint.get("effect", ""))


def _object(taint: Taint) -> Object:
    fields = {"key": taint.key, "value": taint.value, "effect": taint.effect}
    return {name: value for name, value in fields.items() if value}


def _as_go(taint: Taint) -> str:
    """Go's `%v` of the record."""
    return f"{{{taint.key} {taint.value} {taint.effect} <nil>}}"
