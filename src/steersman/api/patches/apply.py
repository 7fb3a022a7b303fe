"""Server-side apply: merge what a manager wants into the object, give and take ownership, refuse what others own.

    applied(type, live, wanted, entries, by, force) → (object, entries)

Keeps true: a field changes only if nobody else owns it, or by force; a field leaves the object when its manager applies
without it and nobody else owns it; applying again changes nothing but a time.
Leaves to others: reading the patch and the server's own part of metadata (`apiserver`), defaults, validation.
Source: structured-merge-diff's merge.Updater, apimachinery's util/managedfields (the manager chain around it), and the
Kubernetes documentation's page "Server-Side Apply".
"""

from collections.abc import Iterable
from typing import cast

import orjson

from steersman.api.managed_fields import compiling, entries, sets, types, updating
from steersman.api.managed_fields.entries import Entry
from steersman.api.managed_fields.types import MISSING
from steersman.meta import errors
from steersman.meta.objects import Object

MEDIA_TYPE = "application/apply-patch+yaml"
BEFORE_FIRST = "before-first-apply"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_KUBECTL = "kubectl"  # the only manager that takes over what client-side apply wrote

_ANNOTATIONS_BYTES_MAX = 256 * 1024  # of all annotations together

Conflict = tuple[entries.Identity, sets.Path]


class Refused(Exception):
    """Others own what the patch would change."""

    def __init__(self, conflicts: list[Conflict]) -> None:
        super().__init__()
        self.conflicts = conflicts


def applied(
    of_type: compiling.Type,
    live: Object,
    wanted: Object,
    before: list[Entry],
    by: updating.Writer,
    *,
    force: bool = False,
    convert: updating.Convert = updating.no_conversion,
) -> tuple[Object, list[Entry]]:
    """The new object and its entries. `live` is `{}` for an object that is not there yet; neither object counts its
    managedFields. Raises StatusError 400 (no such type of patch) or 409 (conflicts)."""
    try:
        _check(of_type, wanted)
        if not before and live:
            first = updating.Writer(BEFORE_FIRST, by.now, by.subresource, by.reset)
            before = updating.created(of_type, live, first)
        try:
            new, after = _apply(of_type, live, wanted, before, by, force=force, convert=convert)
        except Refused as refused:
            left = _not_of_client_side_apply(of_type, live, by, refused.conflicts)
            if left:
                raise _conflict(left) from None
            new, after = _apply(of_type, live, wanted, before, by, force=True, convert=convert)
    except types.Mistyped as wrong:
        raise errors.bad_request(f"failed to create typed live object ({_name(live)}): {wrong}") from wrong
    except RecursionError as wrong:
        raise errors.bad_request("exceeded max depth") from wrong
    if by.manager == _KUBECTL and _last_applied(new):
        new = _with_last_applied(new, wanted)
    return new, after


def _check(of_type: compiling.Type, wanted: Object) -> None:
    """Raises StatusError 400 for a body that is no apply configuration of this type."""
    if (wanted.get("apiVersion"), wanted.get("kind")) != (of_type.api_version, of_type.kind):
        raise errors.bad_request(f"invalid object type: {_gvk(wanted)}")
    metadata = wanted.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
        raise errors.bad_request("metadata.managedFields must be nil")
    wrong = list(of_type.root.check(wanted, ()))
    if wrong:
        text = wrong[0] if len(wrong) == 1 else "\n".join(["errors:", *(f"  {one}" for one in wrong)])
        raise errors.bad_request(f"failed to create typed patch object ({_name(wanted)}): {text}")


def _apply(
    of_type: compiling.Type,
    live: Object,
    wanted: Object,
    before: list[Entry],
    by: updating.Writer,
    *,
    force: bool,
    convert: updating.Convert,
) -> tuple[Object, list[Entry]]:
    me = (by.manager, entries.APPLY, "", by.subresource)
    last = next((entry for entry in before if entries.identity(entry) == me), None)
    others = [entry for entry in before if entry is not last]
    wants = sets.recursive_difference(of_type.root.fields(wanted) or sets.EMPTY, by.reset)
    merged = of_type.root.merge(live, wanted)
    new = _pruned(of_type, merged, last, [wants, *_owned(of_type, others, merged, convert)], convert)
    compared = updating.compare(of_type, live, new, by.reset)
    compare_at = updating.comparing(live, new, by.reset, convert)
    if not force:
        conflicts = _conflicts(of_type, others, compared, compare_at)
        if conflicts:
            raise Refused(conflicts)
    after = updating.without(others, of_type, compared, compare_at)
    mine = updating.strip(wants)
    if mine:
        after = [*after, entries.make(me[0], me[1], of_type.api_version, me[3], mine, by.now)]
    return new, entries.ordered(after)


def _owned(
    of_type: compiling.Type, others: list[Entry], merged: Object, convert: updating.Convert
) -> Iterable[sets.Set]:
    """What others own, as far as it can be said in this version: an owner in another version owns what it cannot lose."""
    for entry in others:
        if entry["apiVersion"] == of_type.api_version:
            yield entry["fieldsV1"]
        else:
            found = convert(merged, entry["apiVersion"])
            if found is not None:
                yield _carried_over(of_type, found, entry["fieldsV1"], merged, convert)


def _carried_over(
    of_type: compiling.Type,
    there: tuple[compiling.Type, Object],
    fields: sets.Set,
    merged: Object,
    convert: updating.Convert,
) -> sets.Set:
    """The fields of this version that hang on `fields` of another: those that go when the leaves are taken out there and
    the rest is converted back."""
    type_there, obj_there = there
    if type_there is of_type:  # the versions differ in nothing but their name
        return fields
    rest = type_there.root.remove(obj_there, sets.leaves(fields))
    back = convert({} if rest is MISSING else rest, of_type.api_version)
    if back is None:
        return sets.EMPTY
    changed, removed = updating.compare(of_type, merged, back[1])
    return sets.union(changed, removed)


def _pruned(
    of_type: compiling.Type, merged: Object, last: Entry | None, owned: Iterable[sets.Set], convert: updating.Convert
) -> Object:
    """`merged` without what the manager applied last time, not this time, and nobody else owns."""
    if last is None:
        return merged
    was = last["fieldsV1"]
    if last["apiVersion"] != of_type.api_version:
        found = convert(merged, last["apiVersion"])
        if found is None:
            return merged  # applied in a version that is gone: nothing can be said about it
        was = _carried_over(of_type, found, was, merged, convert)
    root = of_type.root
    members = sets.EMPTY
    for fields in owned:
        members = sets.union(members, fields)
    was, kept = root.named(was), root.named(members)
    there = root.named(root.fields(merged) or sets.EMPTY)
    rest = _fields_of(root, root.remove(merged, was))
    rest = _fields_of(root, root.remove(merged, sets.difference(there, sets.union(rest, kept))))
    dropped = sets.difference(sets.intersection(sets.difference(there, rest), was), kept)
    pruned = root.remove(merged, dropped, members)
    return cast(Object, {} if pruned is MISSING else pruned)


def _fields_of(root: types.Struct, value: object) -> sets.Set:
    return root.named(root.fields(value) or sets.EMPTY) if value is not MISSING else sets.EMPTY


def _conflicts(
    of_type: compiling.Type, others: list[Entry], compared: updating.Compared, compare_at: updating.CompareAt
) -> list[Conflict]:
    found = []
    for entry in others:
        at = compared if entry["apiVersion"] == of_type.api_version else compare_at(entry)
        if at is not None:
            taken = sets.intersection(entry["fieldsV1"], at[0])
            found += [(entries.identity(entry), path) for path in sets.paths(taken)]
    return found


# Taking over from client-side apply


def _not_of_client_side_apply(
    of_type: compiling.Type, live: Object, by: updating.Writer, conflicts: list[Conflict]
) -> list[Conflict]:
    """The conflicts that remain when kubectl may change what its client-side apply wrote and nobody changed since."""
    text = _last_applied(live)
    if by.manager != _KUBECTL or not text:
        return conflicts
    try:
        last = orjson.loads(text)
        if not isinstance(last, dict) or last.get("apiVersion") != of_type.api_version:
            return conflicts
        if any(True for _ in of_type.root.check(last, ())):
            return conflicts
        changed, removed = updating.compare(of_type, last, live)
        fields = of_type.root.fields(last) or sets.EMPTY
    except (orjson.JSONDecodeError, types.Mistyped):
        return conflicts
    allowed = sets.difference(sets.difference(fields, changed), removed)
    return [conflict for conflict in conflicts if not sets.has(allowed, conflict[1])]


def _last_applied(obj: Object) -> str:
    annotations = (obj.get("metadata") or {}).get("annotations")
    found = annotations.get(LAST_APPLIED) if isinstance(annotations, dict) else ""
    return found if isinstance(found, str) else ""


def _with_last_applied(new: Object, wanted: Object) -> Object:
    """Client-side apply of the same user goes on from here."""
    meta = dict(wanted.get("metadata") or {})
    if isinstance(meta.get("annotations"), dict):
        meta["annotations"] = {key: value for key, value in meta["annotations"].items() if key != LAST_APPLIED}
    text = orjson.dumps({**wanted, "metadata": meta}, option=orjson.OPT_SORT_KEYS).decode() + "\n"
    for character in "<>&":  # as Go writes JSON
        text = text.replace(character, f"\\u{ord(character):04x}")
    annotations = {**new["metadata"]["annotations"], LAST_APPLIED: text}
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > _ANNOTATIONS_BYTES_MAX:
        del annotations[LAST_APPLIED]
    return {**new, "metadata": {**new["metadata"], "annotations": annotations}}


# Refusals


def _conflict(conflicts: list[Conflict]) -> errors.StatusError:
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_who(who)}", "field": sets.text(path)}
        for who, path in conflicts
    ]
    return errors.StatusError(errors.status(409, "Conflict", _message(conflicts), causes=causes))


def _message(conflicts: list[Conflict]) -> str:
    if len(conflicts) == 1:
        who, path = conflicts[0]
        return f"Apply failed with 1 conflict: conflict with {_who(who)}: {sets.text(path)}"
    by_manager: dict[entries.Identity, list[str]] = {}
    for who, path in conflicts:
        by_manager.setdefault(who, []).append(f"- {sets.text(path)}")
    lines = []
    for who in sorted(by_manager):
        lines += [f"conflicts with {_who(who)}:", *by_manager[who]]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)


def _who(identity: entries.Identity) -> str:
    manager, operation, version, subresource = identity
    text = orjson.dumps(manager).decode()
    if subresource:
        text += f" with subresource {orjson.dumps(subresource).decode()}"
    return f"{text} using {version}" if operation == entries.UPDATE else text


def _name(obj: Object) -> str:
    """`default/web; apps/v1, Kind=Deployment`, as upstream's messages name an object."""
    found = obj.get("metadata")
    meta = found if isinstance(found, dict) else {}
    return f"{meta.get('namespace', '')}/{meta.get('name', '')}; {_gvk(obj)}"


def _gvk(obj: Object) -> str:
    group, _, version = str(obj.get("apiVersion") or "").rpartition("/")
    return f"{group}/{version}, Kind={obj.get('kind') or ''}"
