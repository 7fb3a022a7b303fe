"""What `wait --for` means, as tables; a wait for what happens meanwhile; and beside the real kubectl."""

import threading

import pytest

from steersman.kubectl import waiting
from steersman.kubectl.problems import CommandError
from steersman.kubectl.waiting import Condition, Creation, Deletion, Value
from steersman.testing import Cluster
from tests.kubectl.conftest import Kubectl
from tests.kubectl.test_beside_reads import WEB

READY = {
    "metadata": {"generation": 2, "labels": {"a": "b"}},
    "status": {
        "observedGeneration": 2,
        "phase": "Running",
        "count": 3,
        "conditions": [{"type": "Ready", "status": "True"}],
    },
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("delete", Deletion()),
        ("Create", Creation()),
        ("condition=Ready", Condition("Ready")),
        ("condition=Ready=False", Condition("Ready", "False")),
    ],
)
def test_wishes(text: str, expected: object) -> None:
    assert waiting.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "is_met"),
    [
        ("condition=ready", True),
        ("condition=Ready=unknown", False),
        ("condition=Other", False),
        ("jsonpath={.status.phase}=Running", True),
        ("jsonpath=.status.phase='Running'", True),
        ("jsonpath=status.count=3", True),
        ("jsonpath={.status.count}=4", False),
        ("jsonpath={.status.count}", True),
        ("jsonpath={.status.none}", False),
        ('jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', True),
    ],
)
def test_what_is_met(text: str, is_met: bool) -> None:
    wish = waiting.parse(text)
    assert isinstance(wish, (Condition, Value))
    assert wish.is_met(READY) is is_met


def test_what_was_said_of_an_older_generation_does_not_count() -> None:
    older = {"metadata": {"generation": 3}, "status": READY["status"]}
    assert not Condition("Ready").is_met(older)
    conditions = [{"type": "Ready", "status": "True", "observedGeneration": 3}]
    assert Condition("Ready").is_met({"metadata": {"generation": 3}, "status": {"conditions": conditions}})


@pytest.mark.parametrize("text", ["", "foo", "jsonpath=", "jsonpath={.a}=", "jsonpath=.a=1=2", "jsonpath={.a"])
def test_what_is_no_wish(text: str) -> None:
    with pytest.raises(CommandError):
        waiting.parse(text)


@pytest.mark.parametrize("text", ["jsonpath={.metadata.labels}=x", "jsonpath={.status['phase','count']}=x"])
def test_what_is_no_single_value(text: str) -> None:
    wish = waiting.parse(text)
    assert isinstance(wish, Value)
    with pytest.raises(CommandError):
        wish.is_met(READY)


@pytest.mark.slow
def test_what_happens_meanwhile_is_seen(cluster: Cluster, kubectl: Kubectl) -> None:
    def meanwhile() -> None:
        cluster.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late}\ndata: {a: first}\n")
        cluster.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late}\ndata: {a: second}\n")

    actor = threading.Thread(target=meanwhile)
    actor.start()
    try:
        assert kubectl("wait cm/late --for=create") == "configmap/late condition met\n"
        assert kubectl("wait cm/late --for=jsonpath={.data.a}=second") == "configmap/late condition met\n"
    finally:
        actor.join()
    actor = threading.Thread(target=lambda: cluster.delete("configmap", "late"))
    actor.start()
    try:
        assert kubectl("wait cm/late --for=delete").strip() in ("configmap/late condition met", "")
    finally:
        actor.join()


LINES = """
wait deploy/web --for=condition=available
wait deploy web
wait deploy/web --for=condition=Foo --timeout=2s
wait deploy/web --for=condition=Available=False --timeout=0
wait deploy/nope --for=condition=Available --timeout=1s
wait deploy/nope deploy/web --for=delete --timeout=2s
wait deploy --for=condition=available
wait pods -l app=web --for=condition=Ready
wait pods -l app=zz --for=condition=Ready
wait pods -l app=zz --for=delete
wait deploy/web --for=jsonpath={.status.readyReplicas}=2
wait deploy/web --for=jsonpath={.status.conditions}=x
wait deploy/web --for=create
wait deploy/nope --for=create --timeout=0
wait deploy/web deploy/nope --for=condition=available
wait pods --all --for=condition=Foo --timeout=2s
wait --for=delete
"""


@pytest.mark.slow
@pytest.mark.kubectl
def test_beside_the_real_one(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.apply(WEB)
    cluster.wait("deployment/web", "Available")
    for line in LINES.strip().splitlines():
        kubectl.check_same(line)
