"""What the server alone decides about an object's metadata, on create and on update. Pure.

Keeps true: uid, creationTimestamp, generation, deletionTimestamp and resourceVersion are never a client's.
Source: apiserver's registry/rest BeforeCreate and BeforeUpdate.
"""

from collections.abc import Iterable

from steersman.api.kind import Kind
from steersman.apiserver.call import Call
from steersman.meta import errors
from steersman.meta.objects import Object

_DROPPED = ("selfLink", "resourceVersion")  # a rarely used field of older releases, and what the store adds
_SERVER_OWNED = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")


def check_place(call: Call, obj: Object) -> None:
    """Namespace and name of the body against those of the URL; fills in what the body leaves out. Raises 400."""
    meta = obj.setdefault("metadata", {})
    target, kind = call.target, call.kind
    if kind.namespaced:
        found = meta.get("namespace", "")
        if found and found != target.namespace:
            raise errors.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
                if target.verb == "create"
                else f"the namespace of the object ({found}) does not match the namespace on the URL ({target.namespace})"
            )
        meta["namespace"] = target.namespace
    else:
        meta.pop("namespace", None)
    if target.name:
        found = meta.get("name", "")
        if found and found != target.name:
            raise errors.bad_request(
                f"the name of the object ({found}) does not match the name on the URL ({target.name})"
            )
        if not found:
            raise errors.bad_request("name must be provided")


def wipe(obj: Object) -> None:
    """Take out what a client may not say about a new object, in place."""
    meta = obj["metadata"]
    for field in _DROPPED + _SERVER_OWNED:
        meta.pop(field, None)


def fill_new(kind: Kind, obj: Object, *, uid: str, now: str) -> None:
    """The server's part of a new object's metadata, in place."""
    wipe(obj)
    meta = obj["metadata"]
    meta["uid"] = uid
    meta["creationTimestamp"] = now
    if kind.has_generation:
        meta["generation"] = 1


def keep_old(obj: Object, old: Object) -> None:
    """On update the server's part stays what it was, in place."""
    meta, before = obj["metadata"], old["metadata"]
    for field in _DROPPED:
        meta.pop(field, None)
    for field in _SERVER_OWNED:
        if field in before:
            meta[field] = before[field]
        else:
            meta.pop(field, None)
    if "generateName" in before:
        meta.setdefault("generateName", before["generateName"])


def raise_generation(kind: Kind, obj: Object, old: Object) -> None:
    """A change of the desired state gets a new generation, in place."""
    fields = kind.spec_fields or _desired_fields(kind, {**old, **obj})
    if kind.has_generation and any(obj.get(field) != old.get(field) for field in fields):
        obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _desired_fields(kind: Kind, names: Iterable[str]) -> list[str]:
    """All but metadata, and a status that has its own writer."""
    others = ("metadata", "status") if kind.subresource("status") is not None else ("metadata",)
    return [name for name in names if name not in others]


def new_finalizers_while_deleting(obj: Object, old: Object) -> list[errors.FieldError]:
    """Once an object is being deleted its finalizers may only become fewer."""
    if not old["metadata"].get("deletionTimestamp"):
        return []
    added = set(obj["metadata"].get("finalizers") or ()) - set(old["metadata"].get("finalizers") or ())
    if not added:
        return []
    listed = ", ".join(f'"{name}"' for name in sorted(added))
    why = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{listed}}}"
    return [errors.FieldError("metadata.finalizers", "FieldValueForbidden", f"Forbidden: {why}")]


def without_version(obj: Object) -> Object:
    """The object as it is apart from its resourceVersion."""
    return {**obj, "metadata": {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}}
