"""The history of a StatefulSet's or DaemonSet's template: ControllerRevisions, numbered upwards. Pure.

`kubectl rollout history` lists them and `rollout undo` applies one as a strategic merge patch; the data is upstream's.
"""

import dataclasses
from collections.abc import Collection, Sequence

from steersman.api import kinds
from steersman.controllers import decision
from steersman.controllers.decision import Action, Create
from steersman.controllers.deployment import template as templates
from steersman.meta import names, objects, owners
from steersman.meta.objects import Object

HASH_LABEL = "controller-revision-hash"


@dataclasses.dataclass(frozen=True, slots=True)
class History:
    """`all` with the newest last; `update` is that of the present template, perhaps still to be made by `actions`.

    `collides`: its name is taken by something else, so another one is needed (status.collisionCount).
    """

    all: tuple[Object, ...]
    update: Object
    actions: tuple[Action, ...] = ()
    collides: bool = False

    def named(self, name: str) -> Object | None:
        return next((one for one in self.all if objects.name(one) == name), None)


def next_name(owner: Object) -> str:
    """The name that a revision of the present template gets."""
    suffix = templates.hash_of(owner)
    return f"{objects.name(owner)[: names.SUBDOMAIN_MAX - len(suffix) - 1]}-{suffix}"


def template_of(revision: Object) -> Object:
    found = dict(revision["data"]["spec"]["template"])
    found.pop("$patch", None)
    return found


def hash_of(revision: Object, label: str) -> str:
    return objects.labels(revision).get(label, "")


def look(owner: Object, revisions: Sequence[Object], taken: Object | None, label: str) -> History:
    """`taken`: what already has the name of a new revision; `label`: which of its labels holds the hash."""
    known = tuple(sorted(revisions, key=_order))
    data = {"spec": {"template": {**(owner["spec"].get("template") or {}), "$patch": "replace"}}}
    same = [one for one in known if one.get("data") == data]
    number = int(known[-1].get("revision") or 0) + 1 if known else 1
    if not same:
        new = _new(owner, data, number, label)
        collides = taken is not None
        return History((*known, new), new, () if collides else (Create(kinds.CONTROLLER_REVISION, new),), collides)
    newest = same[-1]
    if newest is known[-1]:
        return History(known, newest)
    # Rolled back: the old revision is the newest one again.
    renumbered = decision.patch(kinds.CONTROLLER_REVISION, newest, {"revision": number})
    again = {**newest, "revision": number}
    return History((*(one for one in known if one is not newest), again), again, (renumbered,))


def surplus(history: History, live: Collection[str], limit: int) -> tuple[Action, ...]:
    """Delete the oldest of those that no pod runs (`live` are names), down to the limit."""
    unused = [one for one in history.all if objects.name(one) not in live and objects.uid(one)]
    doomed = unused[: max(0, len(unused) - limit)]
    return tuple(decision.delete(kinds.CONTROLLER_REVISION, one) for one in doomed)


def _new(owner: Object, data: Object, number: int, label: str) -> Object:
    suffix = templates.hash_of(owner)
    template_labels = ((owner["spec"].get("template") or {}).get("metadata") or {}).get("labels") or {}
    meta: Object = {
        "name": next_name(owner),
        "namespace": objects.namespace(owner),
        "labels": {**template_labels, label: suffix},
        "ownerReferences": [owners.make(owner)],
    }
    if objects.annotations(owner):
        meta["annotations"] = dict(objects.annotations(owner))
    return {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": meta, "data": data, "revision": number}


def _order(revision: Object) -> tuple[int, str, str]:
    created = str(revision["metadata"].get("creationTimestamp") or "")
    return int(revision.get("revision") or 0), created, objects.name(revision)
