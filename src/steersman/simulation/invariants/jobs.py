"""A Job counts each pod once, and never starts more than it needs by its own doing."""

import dataclasses
import weakref
from collections.abc import Iterator

from steersman.api import kinds
from steersman.apiserver import keys
from steersman.controllers.job.view import is_tracked
from steersman.meta import conditions, objects, owners
from steersman.meta.objects import Object
from steersman.simulation.history import Change, History, is_of, pod_counts
from steersman.simulation.invariants.deployments import BEHIND_SECONDS_MAX, CONTROLLER


@dataclasses.dataclass(slots=True)
class _Ended:
    """uids of a Job's pods, and of those that were seen to end, by how. One that is being deleted may be counted as failed; one
    that lost its finalizer before it ended was given up, and counts for nothing."""

    pods: set[str] = dataclasses.field(default_factory=set)
    succeeded: set[str] = dataclasses.field(default_factory=set)
    failed: set[str] = dataclasses.field(default_factory=set)
    given_up: set[str] = dataclasses.field(default_factory=set)


ENDINGS = ("Complete", "SuccessCriteriaMet", "Failed", "FailureTarget")

_ended: weakref.WeakKeyDictionary[History, dict[str, _Ended]] = weakref.WeakKeyDictionary()


def check(history: History, change: Change) -> Iterator[str]:
    if is_of(change, kinds.POD):
        owner = owners.controller_of(change.either)
        if owner is not None and owner["kind"] == "Job":
            _note(_of(history, owner["uid"]), change)
            if change.before is None:
                yield from _created(history, change, owner)
    elif is_of(change, kinds.JOB) and change.after is not None:
        yield from _counted(change.key, change.after, _of(history, objects.uid(change.after)))


def _of(history: History, uid: str) -> _Ended:
    return _ended.setdefault(history, {}).setdefault(uid, _Ended())


def _note(ended: _Ended, change: Change) -> None:
    pod, uid = change.either, objects.uid(change.either)
    phase = (pod.get("status") or {}).get("phase")
    ended.pods.add(uid)
    if phase == "Succeeded" and uid not in ended.given_up:
        ended.succeeded.add(uid)
    elif phase != "Failed" and not is_tracked(pod):
        ended.given_up.add(uid)
    if phase == "Failed" or change.after is None or objects.is_terminating(pod):
        ended.failed.add(uid)


def _counted(key: str, job: Object, ended: _Ended) -> Iterator[str]:
    status = job.get("status") or {}
    waiting = status.get("uncountedTerminatedPods") or {}
    # Once a Job is as good as ended, upstream counts as failed whatever of it still runs.
    is_over = any(conditions.is_true(job, name) for name in ENDINGS)
    for field, found in (("succeeded", ended.succeeded), ("failed", ended.pods if is_over else ended.failed)):
        count = (status.get(field) or 0) + len(waiting.get(field) or ())
        if count > len(found):
            yield f"{key}: counts {count} pods as {field}, of which there were {len(found)}"
    completions = job["spec"].get("completions")
    if completions is not None and not ended.failed and (status.get("succeeded") or 0) > completions:
        yield f"{key}: {status['succeeded']} of {completions} completions"


def _created(history: History, change: Change, owner: Object) -> Iterator[str]:
    if change.cause.who != CONTROLLER:
        return
    key = keys.key(kinds.JOB, objects.namespace(change.either), owner["name"])
    versions = [
        one for one in history.versions(key, change.at - BEHIND_SECONDS_MAX) if objects.uid(one) == owner["uid"]
    ]
    if not versions:
        return
    active = sum(pod_counts(pod) for pod in history.world.owned_by(owner["uid"], kinds.POD))
    most = max(one["spec"].get("parallelism") or 0 for one in versions)
    if active > most:
        yield f"{change.key}: {active} pods of job {owner['name']} at work, whose parallelism never was more than {most}"
    ended = _of(history, owner["uid"])
    done = len(ended.succeeded - ended.failed)  # what ended well while being deleted counts as failed
    completions = max(one["spec"].get("completions") or 0 for one in versions)
    if completions and done + active > completions:
        yield f"{change.key}: {done} pods of job {owner['name']} succeeded and {active} are at work; {completions} are needed"
