"""The releases that can be served, and what kinds each of them has: as the schema package says it. Pure.

A kind is served in the versions that the release's schema has. Versions that only older releases have (betas of what is stable
now) come from the stored row, where every field they know is called the same there; the others are not served.
Stored objects are the same under every release, so that a cluster can change it.
"""

import functools
from collections.abc import Iterable

from steersman.api import kinds, schema
from steersman.api.kind import Kind, Kinds, of_version

OLDEST_MINOR = 27
NEWEST_MINOR = int(schema.RELEASE.split(".")[1])

_Names = tuple[str, str, str]


class UnknownRelease(ValueError):
    """The text is for the user."""


def parse(text: str) -> str:
    """`1.31` or `v1.31.4` → `1.31.0`, as the schema package names it. Raises UnknownRelease."""
    major, _, rest = text.removeprefix("v").partition(".")
    minor = rest.partition(".")[0]
    if major != "1" or not minor.isdecimal() or not OLDEST_MINOR <= int(minor) <= NEWEST_MINOR:
        raise UnknownRelease(f"{text} is no release from 1.{OLDEST_MINOR} to 1.{NEWEST_MINOR}")
    return f"1.{int(minor)}.0"


@functools.cache
def kinds_of(release: str) -> Kinds:
    """The built-in kinds of a release; the rows of the newest are the table itself."""
    if release == schema.RELEASE:
        return kinds.BUILTIN
    return Kinds([*served(kinds.BUILTIN, release), *_only_there(release)])


def served(rows: Iterable[Kind], release: str) -> list[Kind]:
    """Those of the rows whose types the release has."""
    types = schema.of_release(release)
    return [row for row in rows if types.name_of(row.group, row.version, row.kind) is not None]


def _only_there(release: str) -> list[Kind]:
    """Versions that are no rows of the table."""
    types = schema.of_release(release)
    stored = {(row.group, row.kind): row for row in kinds.BUILTIN if row.storage is None}
    found = []
    for group, version, name in types.kinds():
        row = stored.get((group, name))
        if row is None or kinds.BUILTIN.of_resource(group, version, row.plural) is not None:
            continue
        if _is_part_of(types, (group, version, name), (row.group, row.version, row.kind)):
            found.append(of_version(row, version, deprecation=None))
    return found


def _is_part_of(types: schema.Schema, old: _Names, new: _Names) -> bool:
    """Whether every field of the old type is one of the new type of today, all the way down."""
    newest = schema.of_release()
    before, now = types.definition_of(*old), newest.definition_of(*new)
    return before is not None and now is not None and _fields_are_in(types, before, newest, now, depth=0)


_DEPTH_MAX = 12  # of definitions that contain themselves (JSON schemas)


def _fields_are_in(
    types: schema.Schema, old: schema.Definition, newest: schema.Schema, new: schema.Definition, *, depth: int
) -> bool:
    old, new = types.resolve(old), newest.resolve(new)
    if depth > _DEPTH_MAX:
        return True
    for name, inner in old.get("properties", {}).items():
        other = new.get("properties", {}).get(name)
        if other is None or not _fields_are_in(types, inner, newest, other, depth=depth + 1):
            return False
    items, others = old.get("items"), new.get("items")
    if (items is None) != (others is None):
        return False
    return items is None or others is None or _fields_are_in(types, items, newest, others, depth=depth + 1)
