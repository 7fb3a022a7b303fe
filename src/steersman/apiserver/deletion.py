"""What a DELETE does to an object: remove it, mark it, or nothing. Pure.

Keeps true: an object with finalizers is never removed before they are gone; a pod on a node gets its grace period.
Source: apiserver's registry/rest BeforeDelete and the generic store's deletion; "Garbage Collection" and "Finalizers".
"""

import dataclasses
import datetime
from typing import TypeVar

from steersman.api.kind import Kind
from steersman.meta import errors, times
from steersman.meta.objects import Object

T = TypeVar("T")

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
_POLICIES = ("Foreground", "Background", "Orphan")


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """DeleteOptions. `policy` is "" when nothing is said."""

    grace_seconds: int | None = None
    policy: str = ""
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Remove:
    """Take it out of the store; `last` is its last state."""

    last: Object


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """Write `obj`: it is being deleted, and others finish it."""

    obj: Object


@dataclasses.dataclass(frozen=True, slots=True)
class Pending:
    """It is already being deleted, and this request changes nothing."""


Outcome = Remove | Mark | Pending


def decide(kind: Kind, obj: Object, options: Options, now: datetime.datetime) -> Outcome:
    meta = obj["metadata"]
    finalizers = _finalizers(meta.get("finalizers") or [], _policy(kind, meta, options))
    changed = dict(meta)
    if finalizers:
        changed["finalizers"] = finalizers
    else:
        changed.pop("finalizers", None)
    grace = _grace(kind, obj, options)
    if grace is None:
        if meta.get("deletionTimestamp") and meta.get("deletionGracePeriodSeconds"):
            return Pending()
        if not finalizers and not _held_by_kind(obj):
            return Remove(obj)
        return _mark(obj, changed, 0, now)
    if grace > 0 or finalizers:
        return _mark(obj, changed, grace, now)
    marked = _mark(obj, changed, 0, now)
    return Remove(marked.obj if isinstance(marked, Mark) else obj)


def is_finished(obj: Object) -> bool:
    """Whether an object that is being deleted has nothing left to wait for, after an update of it."""
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers"):
        return False
    return not meta.get("deletionGracePeriodSeconds") and not _held_by_kind(obj)


def _held_by_kind(obj: Object) -> bool:
    """A namespace is held by its spec.finalizers until its content is gone."""
    return obj.get("kind") == "Namespace" and bool((obj.get("spec") or {}).get("finalizers"))


def _grace(kind: Kind, obj: Object, options: Options) -> int | None:
    """The grace period to set; None when none is to be set (not a graceful kind, or nothing to shorten)."""
    if kind.graceful_delete_seconds is None:
        return None
    current = obj["metadata"].get("deletionGracePeriodSeconds")
    if obj["metadata"].get("deletionTimestamp"):
        if current is None:
            return 0
        wanted = options.grace_seconds
        return wanted if wanted is not None and wanted < current else None
    natural = kind.graceful_delete_seconds(obj)
    if natural is None:
        return 0
    return natural if options.grace_seconds is None else options.grace_seconds


def _mark(obj: Object, meta: Object, grace: int, now: datetime.datetime) -> Outcome:
    before = obj["metadata"]
    if "deletionTimestamp" in before:
        shortened = before.get("deletionGracePeriodSeconds") or 0
        began = times.parse(before["deletionTimestamp"]) - datetime.timedelta(seconds=shortened)
        if grace < shortened:
            meta["deletionTimestamp"] = times.format_seconds(began + datetime.timedelta(seconds=grace))
            meta["deletionGracePeriodSeconds"] = grace
    else:
        meta["deletionTimestamp"] = times.format_seconds(now + datetime.timedelta(seconds=grace))
        meta["deletionGracePeriodSeconds"] = grace
        if meta.get("generation"):
            meta["generation"] += 1
    if meta == before:
        return Pending()
    marked = {**obj, "metadata": meta}
    if obj.get("kind") == "Namespace":
        marked["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
    return Mark(marked)


def _policy(kind: Kind, meta: Object, options: Options) -> str:
    """What is to happen to dependants; "" leaves it to the finalizers that are there."""
    if options.policy or not kind.orphans_by_default:
        return options.policy
    finalizers = meta.get("finalizers") or ()
    return "" if ORPHAN in finalizers or FOREGROUND in finalizers else "Orphan"


def _finalizers(present: list[str], policy: str) -> list[str]:
    """The garbage collector's two finalizers as the propagation policy wants them."""
    if not policy:
        return present
    kept = [name for name in present if name not in (ORPHAN, FOREGROUND)]
    wanted = {"Orphan": ORPHAN, "Foreground": FOREGROUND}.get(policy)
    if wanted is None:
        return kept
    return present if wanted in present and len(kept) == len(present) - 1 else [*kept, wanted]


def options_of(body: Object | None, parameters: dict[str, list[str]]) -> Options:
    """DeleteOptions of a body, or else of the query. Raises StatusError 400 or 422."""
    if body is not None:
        return _from_body(body)
    grace = _first(parameters, "gracePeriodSeconds")
    orphan = _first(parameters, "orphanDependents")
    raw: Object = {}
    if grace:
        if not grace.lstrip("+-").isdigit() or not grace.isascii() or len(grace) > 18:
            raise errors.bad_request(f'strconv.ParseInt: parsing "{grace}": invalid syntax')
        raw["gracePeriodSeconds"] = int(grace)
    if orphan:
        raw["orphanDependents"] = orphan == "true"
    if _first(parameters, "propagationPolicy"):
        raw["propagationPolicy"] = _first(parameters, "propagationPolicy")
    raw["dryRun"] = [value for value in parameters.get("dryRun", ()) if value]
    return _from_body(raw)


def _first(parameters: dict[str, list[str]], name: str) -> str:
    return (parameters.get(name) or [""])[0]


def _from_body(body: Object) -> Options:
    if body.get("kind", "DeleteOptions") != "DeleteOptions":
        raise errors.bad_request(f'decoded object cannot be converted to DeleteOptions: kind "{body.get("kind")}"')
    grace = _typed(body, "gracePeriodSeconds", int)
    policy = _typed(body, "propagationPolicy", str) or ""
    orphan = _typed(body, "orphanDependents", bool)
    preconditions = _typed(body, "preconditions", dict) or {}
    dry_run = _typed(body, "dryRun", list) or []
    _check(grace, policy, orphan, dry_run)
    if orphan is not None:
        policy = "Orphan" if orphan else "Background"
    return Options(
        None if grace is None else max(1, grace) if grace < 0 else grace,
        policy,
        _typed(preconditions, "uid", str) or "",
        _typed(preconditions, "resourceVersion", str) or "",
        bool(dry_run),
    )


def _typed(body: Object, field: str, kind: type[T]) -> T | None:
    value = body.get(field)
    if value is None:
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise errors.bad_request(f"json: cannot unmarshal into Go struct field DeleteOptions.{field}: wrong type")
    return value


def _check(grace: int | None, policy: str, orphan: bool | None, dry_run: list[str]) -> None:
    causes = []
    if policy and orphan is not None:
        why = "Invalid value: orphanDependents and deletionPropagation cannot be both set"
        causes.append(errors.FieldError("propagationPolicy", "FieldValueInvalid", why))
    if policy and policy not in _POLICIES:
        why = f'Unsupported value: "{policy}": supported values: "Foreground", "Background", "Orphan", "nil"'
        causes.append(errors.FieldError("propagationPolicy", "FieldValueNotSupported", why))
    for value in dry_run:
        if value != "All":
            why = f'Unsupported value: "{value}": supported values: "All"'
            causes.append(errors.FieldError("dryRun", "FieldValueNotSupported", why))
    if causes:
        raise errors.invalid("DeleteOptions", "", causes, "meta.k8s.io")


def status_of(kind: Kind, obj: Object) -> Object:
    """The answer to the delete of a kind that answers without the object."""
    details = {"name": obj["metadata"]["name"], "group": kind.group, "kind": kind.plural}
    details["uid"] = obj["metadata"].get("uid", "")
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }
