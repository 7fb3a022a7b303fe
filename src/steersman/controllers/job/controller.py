"""What the Job controller watches and sees: Jobs, and under keys of their own the pods that Jobs have left behind.

It remembers when pods failed, as a pod that was deleted takes that with it; lost at a restart, it costs a shorter pause.
"""

import datetime
from collections.abc import Iterable, Iterator

from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.controllers import claims, indexes, live, pods
from steersman.controllers.job import decide, policies
from steersman.controllers.job.decide import Seen, SeenOrphan
from steersman.controllers.job.view import View, is_finished, is_managed_by_another, is_tracked
from steersman.controllers.loop import Controller, Look, Watch
from steersman.meta import objects, owners, selectors
from steersman.meta.objects import Object

KIND = "Job"
_POD = "pod:"  # begins the key of a pod that was left behind


def controller() -> Controller:
    observer = _Observer()
    return Controller(
        name="job-controller",
        watches=(Watch(kinds.JOB, keys_of_job), Watch(kinds.POD, keys_of_pod)),
        observe=observer.observe,
        decide=decide.decide,
        indexes=(indexes.by_controller(kinds.POD), indexes.orphans(kinds.POD)),
    )


def keys_of_job(caches: Caches, job: Object) -> Iterator[str]:
    yield objects.key(job)
    found = caches.of(kinds.JOB).get(objects.key(job))
    if found is None or objects.uid(found) != objects.uid(job):
        for pod in caches.of(kinds.POD).by_index(indexes.CONTROLLER, objects.uid(job)):
            if is_tracked(pod):
                yield _POD + objects.key(pod)


def keys_of_pod(caches: Caches, pod: Object) -> Iterable[str]:
    left_behind = [_POD + objects.key(pod)] if is_left_behind(caches, pod) else []
    reference = owners.controller_of(pod)
    if reference is not None:
        mine = reference["kind"] == KIND
        return [*left_behind, f"{objects.namespace(pod)}/{reference['name']}"] if mine else ()
    if pods.is_terminating(pod):
        return left_behind
    found = caches.of(kinds.JOB).list(objects.namespace(pod))
    labels = objects.labels(pod)
    matching = [objects.key(job) for job in found if selectors.object_matches(job["spec"].get("selector"), labels)]
    return [*left_behind, *matching]


def is_left_behind(caches: Caches, pod: Object) -> bool:
    """It has our finalizer, and no Job is there to count it."""
    if not is_tracked(pod):
        return False
    reference = owners.controller_of(pod)
    if reference is None:
        return True
    if reference["kind"] != KIND:
        return False
    job = caches.of(kinds.JOB).get(f"{objects.namespace(pod)}/{reference['name']}")
    return job is None or objects.uid(job) != reference["uid"]


class _Observer:
    def __init__(self) -> None:
        self._failures: dict[str, tuple[str, dict[str, datetime.datetime]]] = {}  # key → Job's uid, pod's uid → when

    async def observe(self, look: Look, key: str) -> Seen | SeenOrphan | None:
        if key.startswith(_POD):
            pod = look.caches.of(kinds.POD).get(key.removeprefix(_POD))
            return SeenOrphan(pod) if pod is not None and is_left_behind(look.caches, pod) else None
        job = look.caches.of(kinds.JOB).get(key)
        if job is None:
            self._failures.pop(key, None)
            return None
        cache = look.caches.of(kinds.POD)
        owned = cache.by_index(indexes.CONTROLLER, objects.uid(job))
        if is_finished(job) or is_managed_by_another(job):
            self._failures.pop(key, None)
            return Seen(job, owned, look.now)
        orphans = cache.by_index(indexes.ORPHANS, objects.namespace(job))
        if orphans:
            selector = selectors.from_object(job["spec"].get("selector"))
            orphans = [pod for pod in orphans if claims.is_adoptable(pod, selector)]
        return Seen(
            job=job,
            pods=owned,
            now=look.now,
            orphans=orphans,
            may_adopt=bool(orphans) and await live.is_alive(look.client, kinds.JOB, job),
            failures=self._failed(key, View(job, owned, look.now)),
            failure=look.failure,
        )

    def _failed(self, key: str, view: View) -> list[datetime.datetime]:
        """When its pods failed since the last success."""
        uid, known = self._failures.get(key, ("", {}))
        if uid != objects.uid(view.job):
            known = {}
        ends = (policies.finished_at(pod) for pod in view.pods if pods.phase(pod) == "Succeeded")
        last_success = max(ends, default=None)
        for pod in view.pods:
            # A pod that the Job itself removed has lost its finalizer first.
            has_failed = pods.phase(pod) == "Failed" or (is_tracked(pod) and view.is_failed(pod))
            if has_failed and objects.uid(pod) not in known:
                known[objects.uid(pod)] = policies.finished_at(pod)
        if last_success is not None:
            known = {pod: at for pod, at in known.items() if at > last_success}
        if known:
            self._failures[key] = objects.uid(view.job), known
        else:
            self._failures.pop(key, None)
        return list(known.values())
