"""A claim and its volume keep to each other, no claim goes while it is used, and pods are where their data are.

That no two claims have one volume, nor two volumes one claim, `addresses` sees. What the scheduler saw may be as old as a cache can
be: what a claim was within that time counts in its favour.
"""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.api import volumes as storage
from steersman.apiserver import keys
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.simulation import volumes
from steersman.simulation.history import Change, History, is_of, node_of
from steersman.simulation.invariants.deployments import BEHIND_SECONDS_MAX

# Between asking who uses a claim and taking its protection away: an answer, a request and a copy of it may each be late.
JUST_BOUND_SECONDS = 15.0


def check(history: History, change: Change) -> Iterator[str]:
    if is_of(change, kinds.PERSISTENT_VOLUME_CLAIM):
        yield from _claim(history, change)
    elif is_of(change, kinds.PERSISTENT_VOLUME):
        yield from _volume(history, change)
    elif is_of(change, kinds.POD) and change.after is not None and node_of(change.after) != _node_before(change):
        yield from _bound_pod(history, change, change.after)


def _claim(history: History, change: Change) -> Iterator[str]:
    before, after = change.before, change.after
    had = before["spec"].get("volumeName") if before is not None else None
    if after is None:
        for pod in volumes.users(history.world, change.either):
            if _bound_seconds_ago(history, pod, change) > JUST_BOUND_SECONDS:
                yield f"{change.key} is gone, and {objects.name(pod)} uses it"
        return
    if had and after["spec"].get("volumeName") != had:
        yield f"{change.key} had the volume {had} and now {after['spec'].get('volumeName')}"
    if _phase(after) == "Bound" and (before is None or _phase(before) != "Bound"):
        volume = history.world.get(kinds.PERSISTENT_VOLUME, "", str(after["spec"].get("volumeName") or ""))
        if volume is None or _claimed_by(volume) != objects.uid(after):
            yield f"{change.key} is Bound, and its volume {after['spec'].get('volumeName')} is not bound to it"


def _volume(history: History, change: Change) -> Iterator[str]:
    before, after = change.before, change.after
    if before is None:
        return
    had = _claimed_by(before)
    if had and after is not None and _claimed_by(after) != had:
        yield f"{change.key} was bound to the claim {had} and then to {_claimed_by(after) or 'none'}"
    is_given_up = after is None or (_phase(after) == "Released" and _phase(before) != "Released")
    if is_given_up or (after is not None and objects.is_terminating(after) and not objects.is_terminating(before)):
        for claim in history.world.claimants(keys.prefix(kinds.PERSISTENT_VOLUME_CLAIM), f"volume {_name(change)}"):
            if objects.uid(claim) == had:
                yield f"{change.key} is given up, and the claim {objects.key(claim)} has it"


def _bound_pod(history: History, change: Change, pod: Object) -> Iterator[str]:
    node = node_of(pod)
    for name in storage.claim_names(pod):
        key = keys.key(kinds.PERSISTENT_VOLUME_CLAIM, objects.namespace(pod), name)
        seen = history.versions(key, change.at - BEHIND_SECONDS_MAX)
        if not any(_was_on(history, claim, node) for claim in seen):
            yield f"{change.key} was bound to {node}, where its claim {name} has no volume"
    for claim in volumes.claims(history.world, pod):
        others = [objects.name(one) for one in volumes.users(history.world, claim) if one is not pod]
        if volumes.is_for_one_pod(claim) and others:
            yield f"{change.key} was bound, and {', '.join(others)} has its claim {objects.name(claim)} for one pod"


def _was_on(history: History, claim: Object, node: str) -> bool:
    """A volume that is gone by now may have been there."""
    if not claim["spec"].get("volumeName"):
        return False
    return volumes.node_of_volume(history.world, claim) in ("", node)


def _bound_seconds_ago(history: History, pod: Object, now: Change) -> float:
    key = keys.key(kinds.POD, objects.namespace(pod), objects.name(pod))
    bound_at = now.at
    for change in reversed(history.of_key(key)):
        if change.after is None or objects.uid(change.after) != objects.uid(pod) or not node_of(change.after):
            break
        bound_at = change.at
    return now.at - bound_at


def _node_before(change: Change) -> str:
    return node_of(change.before) if change.before is not None else ""


def _claimed_by(volume: Object) -> str:
    return str((volume["spec"].get("claimRef") or {}).get("uid") or "")


def _phase(obj: Object) -> str:
    return str((obj.get("status") or {}).get("phase") or "")


def _name(change: Change) -> str:
    return objects.name(change.either)
