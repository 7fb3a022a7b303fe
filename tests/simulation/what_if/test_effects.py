"""How Services and workloads fared, in words."""

from typing import Any

import pytest

from steersman.simulation.what_if import effects
from steersman.simulation.what_if.effects import Course


def endpoint_slice(service: str, *ready: bool | None) -> dict[str, Any]:
    meta = {"name": f"{service}-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": service}}
    return {"metadata": meta, "endpoints": [{"conditions": {} if one is None else {"ready": one}} for one in ready]}


def workload(kind: str, name: str, owner: str = "", **status: int) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": name, "namespace": "shop"}
    if owner:
        meta["ownerReferences"] = [{"kind": "Deployment", "name": owner, "uid": owner, "controller": True}]
    return {"kind": kind, "metadata": meta, "status": status}


def test_a_sample_counts_what_is_ready_of_whom_users_made() -> None:
    slices = [endpoint_slice("web", True, False, None), endpoint_slice("web", True), endpoint_slice("none")]
    workloads = [
        workload("Deployment", "web", readyReplicas=3),
        workload("ReplicaSet", "web-1", owner="web", readyReplicas=3),
        workload("DaemonSet", "log", numberReady=2),
        workload("StatefulSet", "db"),
    ]
    assert effects.sample(slices, workloads) == {
        "Service shop/web": 3,
        "Service shop/none": 0,
        "Deployment shop/web": 3,
        "DaemonSet shop/log": 2,
        "StatefulSet shop/db": 0,
    }


def test_courses_grow_by_what_changed() -> None:
    courses = effects.Courses({"a": 3, "b": 1})
    for at, seen in ((0.5, {"a": 3, "b": 1}), (1.0, {"a": 2, "b": 1, "new": 1}), (1.5, {"a": 3})):
        courses.note(at, seen)
    assert {name: course.changes for name, course in courses.of.items()} == {
        "a": [(1.0, 2), (1.5, 3)],
        "b": [(1.5, 0)],
        "new": [(1.0, 1), (1.5, 0)],
    }


TOLD = [
    (Course(3, [(4.0, 2), (7.5, 3)]), "3 ready, 2 after 4.0 s, 3 after 7.5 s: never without", False),
    (Course(3, [(4.0, 2)]), "3 ready, 2 after 4.0 s: never without, and 2 at the end", False),
    (Course(1, [(4.0, 0), (16.0, 1)]), "1 ready, 0 after 4.0 s, 1 after 16 s: without any for 12 s", True),
    (Course(1, [(4.0, 0)]), "1 ready, 0 after 4.0 s: without any for 96 s, and at the end", True),
    (
        Course(1, [(1.0, 0), (2.0, 1), (3.0, 0), (4.5, 1)]),
        "1 ready, 0 after 1.0 s, 1 after 2.0 s, 0 after 3.0 s, 1 after 4.5 s: without any for 2.5 s",
        True,
    ),
    (Course(0, [(2.0, 1)]), "0 ready, 1 after 2.0 s", False),
    (
        Course(9, [(float(at), 9 - at) for at in range(1, 9)] + [(9.0, 9)]),
        "9 ready, 8 after 1.0 s, 7 after 2.0 s, 6 after 3.0 s, 5 after 4.0 s, 1 after 8.0 s, 9 after 9.0 s: never without",
        False,
    ),
]


@pytest.mark.parametrize(("course", "words", "is_worse"), TOLD)
def test_a_course_is_told_in_a_line(course: Course, words: str, is_worse: bool) -> None:
    assert list(effects.told({"Service shop/web": course, "quiet": Course(1)}, 100.0)) == [
        f"Service shop/web  {words}",
        "1 more was not touched",
    ]
    assert effects.is_worse({"a": course, "b": Course(1)}, 100.0) is is_worse


def test_the_worst_is_told_first_and_quiet_is_said() -> None:
    courses = {"a": Course(1, [(1.0, 2)]), "b": Course(1, [(1.0, 0)])}
    assert [line.split()[0] for line in effects.told(courses, 10.0)] == ["b", "a"]
    assert list(effects.told({"a": Course(1)}, 10.0)) == ["nothing changed"]
    assert list(effects.told({}, 10.0)) == []
