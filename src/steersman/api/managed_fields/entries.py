"""The entries of `metadata.managedFields`: reading, telling apart, ordering and limiting them.

An entry stays the plain dict that clients see. One manager has one entry per operation, subresource and, for updates, API
version. Source: apimachinery's util/managedfields.
"""

import unicodedata
from collections.abc import Iterable
from typing import Any

from steersman.api.managed_fields import sets
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

APPLY, UPDATE = "Apply", "Update"
UPDATES_MAX = 10  # upstream's DefaultMaxUpdateManagers: beyond it the oldest are put together
_ANCIENT = "ancient-changes"
MANAGER_MAX = 128  # bytes of a manager's name

Entry = Object
Identity = tuple[str, str, str, str]


class Malformed(ValueError):
    """A list of entries that cannot be read: the one stored before is kept."""


def make(manager: str, operation: str, api_version: str, subresource: str, fields: sets.Set, time: str = "") -> Entry:
    entry: Entry = {"manager": manager} if manager else {}
    entry["operation"] = operation
    entry["apiVersion"] = api_version
    if time:
        entry["time"] = time
    entry["fieldsType"] = "FieldsV1"
    entry["fieldsV1"] = fields
    if subresource:
        entry["subresource"] = subresource
    return entry


def identity(entry: Entry) -> Identity:
    """What two entries must not share: (manager, operation, API version, subresource)."""
    operation = entry["operation"]
    version = "" if operation == APPLY else entry["apiVersion"]
    return entry.get("manager", ""), operation, version, entry.get("subresource", "")


def with_fields(entry: Entry, fields: sets.Set) -> Entry:
    return {**entry, "fieldsV1": fields}


def is_reset(given: Any) -> bool:
    """A client's way to say: forget who owned what."""
    return isinstance(given, list) and (not given or given == [{}])


def read(given: Any) -> list[Entry]:
    """A client's list in its one form. Raises Malformed."""
    if not isinstance(given, list):
        raise Malformed("metadata.managedFields must be a list")
    found: dict[Identity, Entry] = {}
    for index, entry in enumerate(given):
        if not isinstance(entry, dict):
            raise Malformed(f"entry {index} is not an object")
        if entry.get("operation") not in (APPLY, UPDATE):
            raise Malformed("operation must be `Apply` or `Update`")
        if not entry.get("apiVersion"):
            raise Malformed("apiVersion must not be empty")
        if entry.get("fieldsType") != "FieldsV1":
            raise Malformed(f"invalid fieldsType in managed fields entry {index}")
        clean = _clean(entry)
        found[identity(clean)] = clean
    return list(found.values())


def _clean(entry: Entry) -> Entry:
    texts = {name: entry.get(name) or "" for name in ("manager", "apiVersion", "subresource", "time")}
    if not all(isinstance(value, str) for value in texts.values()):
        raise Malformed("manager, apiVersion, subresource and time must be strings")
    try:
        fields = sets.read(entry.get("fieldsV1") or {})
    except sets.Malformed as wrong:
        raise Malformed(f"error decoding set: {wrong}") from wrong
    manager, version = texts["manager"], texts["apiVersion"]
    return make(manager, entry["operation"], version, texts["subresource"], fields, texts["time"])


def validate_manager(name: str, field: str = "fieldManager") -> list[FieldError]:
    """A manager's name is short and printable."""
    if name.isascii() and name.isprintable() and len(name) <= MANAGER_MAX:
        return []
    causes = []
    if len(name.encode()) > MANAGER_MAX:
        why = f"Too long: may not be more than {MANAGER_MAX} bytes"
        causes.append(FieldError(field, "FieldValueTooLong", why))
    at = 0
    for character in name:
        if not _is_printable(character):
            shown = f"U+{ord(character):04X}"
            why = f'Invalid value: "{name}": invalid character {shown} (at position {at})'
            causes.append(FieldError(field, "FieldValueInvalid", why))
        at += len(character.encode())
    return causes


def manager_of(user_agent: str) -> str:
    """Who writes without saying so: the User-Agent up to its first slash, printable characters only."""
    name = user_agent.partition("/")[0]
    if name.isascii() and name.isprintable() and len(name) <= MANAGER_MAX:
        return name
    kept = ""
    for character in name:
        if _is_printable(character):
            if len((kept + character).encode()) > MANAGER_MAX:
                break
            kept += character
    return kept


def _is_printable(character: str) -> bool:
    """Go's unicode.IsPrint: letters, marks, numbers, punctuation, symbols, and the ASCII space."""
    return character == " " or unicodedata.category(character)[0] in "LMNPS"


def ordered(found: Iterable[Entry]) -> list[Entry]:
    """In upstream's order: applied before updated, then by time and name."""
    return sorted(found, key=_order)


def _order(entry: Entry) -> tuple[str, ...]:
    manager, version = entry.get("manager", ""), entry["apiVersion"]
    return entry["operation"], entry.get("time", ""), manager, version, entry.get("subresource", "")


def limited(found: list[Entry]) -> list[Entry]:
    """At most UPDATES_MAX entries of updates: the oldest of a version are put together under one name."""
    updates = [entry for entry in found if entry["operation"] == UPDATE]
    if len(updates) <= UPDATES_MAX:
        return found
    kept = {identity(entry): entry for entry in found}
    first_of: dict[str, Identity] = {}
    too_many = len(updates) - UPDATES_MAX
    for entry in sorted(updates, key=lambda one: (one.get("time", ""), identity(one))):
        if not too_many:
            break
        version = entry["apiVersion"]
        if version not in first_of:
            first_of[version] = identity(entry)
            continue
        bucket = (_ANCIENT, UPDATE, version, "")
        before = kept[bucket] if bucket in kept else kept.pop(first_of[version])
        del kept[identity(entry)]
        fields = sets.union(before["fieldsV1"], entry["fieldsV1"])
        kept[bucket] = make(_ANCIENT, UPDATE, version, "", fields, entry.get("time", ""))
        too_many -= 1
    return list(kept.values())


def same_but_times(first: list[Entry], second: list[Entry]) -> bool:
    if len(first) != len(second):
        return False
    fields = {identity(entry): entry["fieldsV1"] for entry in first}
    return all(fields.get(identity(entry)) == entry["fieldsV1"] for entry in second)
