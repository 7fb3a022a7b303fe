"""Owner references: who an object belongs to, and which controller looks after it (at most one)."""

from steersman.meta.objects import Object


def make(owner: Object, *, controller: bool = True, block: bool = True) -> Object:
    """A reference to `owner`, which carries apiVersion and kind. `block`: foreground deletion waits for the dependant."""
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }
    if controller:
        reference["controller"] = True
    if block:
        reference["blockOwnerDeletion"] = True
    return reference


def of(obj: Object) -> list[Object]:
    return obj["metadata"].get("ownerReferences") or []


def controller_of(obj: Object) -> Object | None:
    """The reference to the controller, if there is one."""
    for reference in of(obj):
        if reference.get("controller"):
            return reference
    return None


def controller_uid(obj: Object) -> str:
    """Empty for an object without a controller."""
    reference = controller_of(obj)
    return str(reference["uid"]) if reference else ""


def is_controlled_by(obj: Object, owner: Object) -> bool:
    return controller_uid(obj) == str(owner["metadata"]["uid"])


def is_owned_by(obj: Object, owner: Object) -> bool:
    uid = owner["metadata"]["uid"]
    return any(reference["uid"] == uid for reference in of(obj))
