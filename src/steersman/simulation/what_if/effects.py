"""What happened to Services and workloads, in words. Pure.

A `Sample` is what is ready at one moment; `Course` is how one thing went: what was ready before, and each change after.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from steersman.api import kinds
from steersman.meta import objects, owners
from steersman.meta.objects import Object

Sample = Mapping[str, int]
_READY_FIELDS = {
    "Deployment": "readyReplicas",
    "StatefulSet": "readyReplicas",
    "DaemonSet": "numberReady",
    "ReplicaSet": "readyReplicas",
}
_SERVICE = "kubernetes.io/service-name"
CHANGES_TOLD_MAX = 6
# In the order in which they are told.
WORKLOADS = (kinds.DEPLOYMENT, kinds.STATEFUL_SET, kinds.DAEMON_SET, kinds.REPLICA_SET)


@dataclasses.dataclass(slots=True)
class Course:
    """`changes` are (seconds since it began, ready then)."""

    before: int
    changes: list[tuple[float, int]] = dataclasses.field(default_factory=list)

    @property
    def now(self) -> int:
        return self.changes[-1][1] if self.changes else self.before


def sample(slices: Iterable[Object], workloads: Iterable[Object]) -> Sample:
    """Ready endpoints of each Service and ready pods of each workload of its own, by `Kind namespace/name`."""
    found: dict[str, int] = {}
    for one in slices:
        service = objects.labels(one).get(_SERVICE)
        if service:
            name = f"Service {objects.namespace(one)}/{service}"
            found[name] = found.get(name, 0) + sum(map(_is_ready, one.get("endpoints") or ()))
    for workload in workloads:
        if not owners.controller_uid(workload):
            ready = (workload.get("status") or {}).get(_READY_FIELDS[workload["kind"]]) or 0
            found[f"{workload['kind']} {objects.key(workload)}"] = ready
    return found


def _is_ready(endpoint: Object) -> bool:
    return (endpoint.get("conditions") or {}).get("ready") is not False


class Courses:
    """Grows by samples."""

    def __init__(self, before: Sample) -> None:
        self.of = {name: Course(ready) for name, ready in before.items()}

    def note(self, seconds: float, seen: Sample) -> None:
        for name in {**self.of, **seen}:
            course = self.of.setdefault(name, Course(0))
            ready = seen.get(name, 0)
            if ready != course.now:
                course.changes.append((seconds, ready))


def told(courses: Mapping[str, Course], seconds: float) -> Iterator[str]:
    """A line for each that changed; those that never had nothing are told last."""
    changed = {name: course for name, course in courses.items() if course.changes}
    wide = max(map(len, changed), default=0)
    for name, course in sorted(changed.items(), key=lambda item: (-_gap(item[1], seconds), item[0])):
        yield f"{name:<{wide}}  {_words(course, seconds)}"
    same = len(courses) - len(changed)
    if same:
        yield f"{same} more {'was' if same == 1 else 'were'} not touched" if changed else "nothing changed"


def is_worse(courses: Mapping[str, Course], seconds: float) -> bool:
    """Whether something that was ready was not at all for a while."""
    return any(_gap(course, seconds) for course in courses.values())


def _words(course: Course, seconds: float) -> str:
    parts = [f"{course.before} ready"]
    parts += [f"{ready} after {_seconds(at)}" for at, ready in _shortened(course.changes)]
    gap = _gap(course, seconds)
    if not course.before:
        verdict = ""
    elif not gap:
        verdict = "never without" if course.now >= course.before else f"never without, and {course.now} at the end"
    else:
        verdict = f"without any for {_seconds(gap)}" + ("" if course.now else ", and at the end")
    return ", ".join(parts) + (f": {verdict}" if verdict else "")


def _shortened(changes: Sequence[tuple[float, int]]) -> Sequence[tuple[float, int]]:
    """The first ones, the lowest and the last one of many."""
    if len(changes) <= CHANGES_TOLD_MAX:
        return changes
    lowest = min(changes, key=lambda change: change[1])
    return sorted({*changes[: CHANGES_TOLD_MAX - 2], lowest, changes[-1]})


def _gap(course: Course, seconds: float) -> float:
    """So many seconds nothing was ready that was ready before."""
    if not course.before or not course.changes:
        return 0.0
    ends = [at for at, _ in course.changes[1:]] + [seconds]
    return sum(end - at for (at, ready), end in zip(course.changes, ends, strict=True) if not ready)


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
