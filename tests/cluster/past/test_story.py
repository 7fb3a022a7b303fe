"""How an object came to be, line by line."""

from typing import Any

from steersman.cluster.past import story


def write(at: str, who: str, what: str, kind: str, name: str, controller: Any = None) -> dict[str, Any]:
    change = {"what": what, "kind": kind, "namespace": "shop", "name": name, "controller": controller}
    return {"at": at, "who": who, "verb": "create", "changes": [change]}


def pod(**more: Any) -> dict[str, Any]:
    owner = {"kind": "ReplicaSet", "name": "web-1", "controller": True}
    return {"kind": "Pod", "metadata": {"name": "web-1-a", "namespace": "shop", "ownerReferences": [owner]}, **more}


def change(revision: int, at: str, who: str, before: Any, after: Any) -> dict[str, Any]:
    return {"revision": revision, "at": at, "who": who, "verb": "update", "before": before, "after": after}


def test_a_story_is_told_in_order_with_what_passed_between() -> None:
    owner = {"kind": "Deployment", "name": "web"}
    lines = story.of_changes(
        [
            change(7, "2026-01-01T10:00:00.030000Z", "system:kube-controller-manager", None, pod(spec={})),
            change(
                9, "2026-01-01T10:00:01.530000Z", "system:kube-scheduler", pod(spec={}), pod(spec={"nodeName": "n1"})
            ),
            change(11, "2026-01-01T10:02:31.530000Z", "system:node:n1", pod(), None),
        ],
        {9: ["not n2: Insufficient cpu"]},
    )
    lines += story.of_writes(
        [
            write("2026-01-01T10:00:00.000000Z", "kubernetes-admin", "create", "Deployment", "web"),
            write(
                "2026-01-01T10:00:00.010000Z",
                "system:serviceaccount:kube-system:deployer",
                "create",
                "ReplicaSet",
                "web-1",
                owner,
            ),
        ]
    )
    lines.append(
        story.of_event(
            {"reason": "Pulled", "message": "there", "count": 2, "source": {"component": "kubelet"}},
            "2026-01-01T10:00:02.530000Z",
        )
    )
    assert story.text(lines).splitlines() == [
        "10:00:00.000  kubernetes-admin         created Deployment shop/web",
        "     + 10 ms  kube-system/deployer     created ReplicaSet shop/web-1, of Deployment web",
        "     + 20 ms  kube-controller-manager  created Pod shop/web-1-a, of ReplicaSet web-1",
        "     + 1.5 s  kube-scheduler           spec.nodeName: (none) → n1",
        "                                       not n2: Insufficient cpu",
        "     + 1.0 s  kubelet                  Pulled: there (2 times)",
        "     + 2m29s  n1                       deleted Pod shop/web-1-a",
    ]


def test_a_write_whose_objects_are_forgotten_is_still_told() -> None:
    told = {"at": "2026-01-01T10:00:00.000000Z", "who": "alice", "verb": "patch", "changes": []}
    assert story.text(story.of_writes([told])) == "10:00:00.000  alice  patch"


def test_nothing_is_nothing() -> None:
    assert story.text([]) == ""
