"""A StatefulSet's claims stay or go as its retention policy says (KEP-1847), and go only when it says so.

A claim belongs to the set, and goes along with it, where the policy says so; to a pod of it only where that was one too many
and goes for good. What belongs to nobody is deleted by no part. What the set's controller saw may be as old as a cache can be.
"""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.apiserver import keys
from steersman.meta import objects, owners
from steersman.meta.objects import Object
from steersman.simulation.cluster import SimulatedCluster
from steersman.simulation.history import Change, History, is_of
from steersman.simulation.invariants.deployments import BEHIND_SECONDS_MAX, CONTROLLER


def check(history: History, change: Change) -> Iterator[str]:
    if not is_of(change, kinds.PERSISTENT_VOLUME_CLAIM) or change.cause.who != CONTROLLER:
        return
    before, after = change.before, change.after
    if before is not None and not objects.is_terminating(before) and (after is None or objects.is_terminating(after)):
        yield from _deleted(history, change, before)
    if after is not None:
        had = [one["uid"] for one in owners.of(before)] if before is not None else []
        for owner in owners.of(after):
            if owner["uid"] not in had:
                yield from _given(history, change, after, owner)


def _deleted(history: History, change: Change, claim: Object) -> Iterator[str]:
    space = history.world.get(kinds.NAMESPACE, "", objects.namespace(claim))
    if space is None or objects.is_terminating(space):
        return
    if not owners.of(claim):
        yield f"{change.key} was deleted, which belongs to nobody"
    for owner in owners.of(claim):
        kind = kinds.POD if owner["kind"] == "Pod" else kinds.STATEFUL_SET
        found = history.world.get(kind, objects.namespace(claim), owner["name"])
        if found is not None and objects.uid(found) == owner["uid"] and not objects.is_terminating(found):
            yield f"{change.key} was deleted, and {owner['kind']} {owner['name']}, to which it belongs, is there"


def _given(history: History, change: Change, claim: Object, owner: Object) -> Iterator[str]:
    name, ordinal = _place(claim)
    key = keys.key(kinds.STATEFUL_SET, objects.namespace(claim), name)
    versions = history.versions(key, change.at - BEHIND_SECONDS_MAX)
    if owner["kind"] == "Pod":
        may = any(_policy(one)["whenScaled"] == "Delete" and ordinal >= one["spec"]["replicas"] for one in versions)
    else:
        may = any(_goes_along(one) for one in versions)
    if not may:
        yield f"{change.key} was given to {owner['kind']} {owner['name']} against the retention policy of {name}"


def check_end(cluster: SimulatedCluster) -> Iterator[str]:
    """Each claim of a pod that is wanted belongs to the set, or does not."""
    world = cluster.history.world
    for one in world.of(kinds.STATEFUL_SET).values():
        for template in one["spec"].get("volumeClaimTemplates") or ():
            for number in range(one["spec"]["replicas"]):
                name = f"{objects.name(template)}-{objects.name(one)}-{number}"
                claim = world.get(kinds.PERSISTENT_VOLUME_CLAIM, objects.namespace(one), name)
                if claim is None:
                    yield f"{objects.key(one)} has no claim {name}"
                elif not objects.is_terminating(claim) and owners.is_owned_by(claim, one) is not _goes_along(one):
                    yield f"{objects.key(one)} has {_policy(one)}, and its claim {name} belongs to {owners.of(claim)}"


def _place(claim: Object) -> tuple[str, int]:
    """TEMPLATE-SET-ORDINAL; the template's name has no dash in it."""
    rest, _, number = objects.name(claim).partition("-")[2].rpartition("-")
    return rest, int(number) if number.isdecimal() else 0


def _policy(stateful_set: Object) -> dict[str, str]:
    return {
        "whenDeleted": "Retain",
        "whenScaled": "Retain",
        **(stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}),
    }


def _goes_along(stateful_set: Object) -> bool:
    return _policy(stateful_set)["whenDeleted"] == "Delete"
