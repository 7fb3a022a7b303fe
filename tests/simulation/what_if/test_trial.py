"""A cluster is copied, and something is done to the copy."""

import datetime
import json
from collections.abc import Iterator
from typing import Any

import pytest

from steersman.api import kinds
from steersman.simulation.what_if import effects, scenario, taking, trial
from steersman.simulation.what_if.scenario import Scenario
from steersman.testing import Cluster, FakeNode

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
DELAYS = trial.Delays(node_grace_seconds=4.0, unreachable_seconds=2)


def deployment(name: str, replicas: int, **container: Any) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "m", "image": "x", **container}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def service(name: str) -> dict[str, Any]:
    spec = {"selector": {"app": name}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


@pytest.fixture(scope="module")
def listed() -> list[taking.Listed]:
    """Two zones, three copies of `web` spread over nodes, and `single`."""
    nodes = [FakeNode(f"n{number}", labels={"zone": "ab"[number % 2]}) for number in range(4)]
    with Cluster(nodes, virtual_time=True) as cluster:
        cluster.apply([deployment("web", 4), service("web"), deployment("single", 1), service("single")])
        cluster.wait("deployment/web", "Available")
        cluster.wait("deployment/single", "Available")
        return list(everything(cluster))


def everything(cluster: Cluster) -> Iterator[taking.Listed]:
    for kind in taking.kinds_to_list():
        typed = {"apiVersion": kind.api_version, "kind": kind.kind}
        items = cluster.run(cluster._running.client.raw.list(kind)).items
        if kind is kinds.POD:
            for toleration in (one for item in items for one in item["spec"]["tolerations"]):
                toleration["tolerationSeconds"] = DELAYS.unreachable_seconds
        yield taking.Listed(kind.group, kind.plural, [{**typed, **item} for item in items])


def tried(listed: list[taking.Listed], seconds: float = 30.0, **wanted: Any) -> trial.Report:
    return trial.run(taking.take(listed, 1.0), Scenario(**wanted), seconds, NOW, DELAYS)


def node_of(listed: list[taking.Listed], app: str) -> str:
    pods = next(one.items for one in listed if one.plural == kinds.POD.plural)
    return next(str(pod["spec"]["nodeName"]) for pod in pods if pod["metadata"]["labels"]["app"] == app)


def test_nothing_done_changes_nothing(listed: list[taking.Listed]) -> None:
    report = tried(listed)
    assert list(effects.told(report.courses.of, 30.0)) == ["nothing changed"]
    assert (report.pods, report.nodes, report.waiting) == (5, 4, {})


def test_the_one_copy_on_a_lost_node_is_missed_until_it_is_replaced(listed: list[taking.Listed]) -> None:
    report = tried(listed, lost=[node_of(listed, "single")])
    single = report.courses.of["Service default/single"]
    ((gone, none), (back, one)) = single.changes
    assert (none, one) == (0, 1)
    assert 3.0 <= gone <= 6.0
    assert 1.0 <= back - gone <= 4.0
    assert effects.is_worse(report.courses.of, 30.0)
    assert not effects.is_worse({"web": report.courses.of["Service default/web"]}, 30.0)


def test_a_zone_is_lost_by_its_label_and_nothing_waits(listed: list[taking.Listed]) -> None:
    report = tried(listed, lost=["zone=a"])
    assert report.courses.of["Deployment default/web"].now == 4
    assert report.waiting == {}


def test_a_drain_moves_pods_and_a_budget_slows_it(listed: list[taking.Listed]) -> None:
    node = node_of(listed, "single")
    moved = tried(listed, drained=[node])
    assert moved.courses.of["Service default/single"].now == 1
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "b", "namespace": "default", "uid": "b"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "single"}}},
    }
    kept = tried([*listed, taking.Listed("policy", "poddisruptionbudgets", [budget])], drained=[node])
    assert not kept.courses.of["Service default/single"].changes


def test_what_is_applied_and_fits_nowhere_is_told(listed: list[taking.Listed], tmp_path: Any) -> None:
    file = tmp_path / "big.json"
    file.write_text(json.dumps(deployment("big", 1, resources={"requests": {"cpu": "99"}})))
    report = tried(listed, applied=[file])
    ((name, refusals),) = report.waiting.items()
    assert name.startswith("default/big-")
    assert set(map(tuple, refusals.values())) == {("Insufficient cpu",)}
    assert len(refusals) == 4


@pytest.mark.parametrize(
    ("word", "said"), [("n9", 'There is no Ready node "n9".'), ("zone=c", "No node carries the label zone=c.")]
)
def test_a_node_that_is_not_there_is_refused(listed: list[taking.Listed], word: str, said: str) -> None:
    with pytest.raises(scenario.Unknown, match=said):
        tried(listed, lost=[word])


def test_the_same_trial_gives_the_same(listed: list[taking.Listed]) -> None:
    one, two = (tried(listed, lost=["zone=b"]) for _ in range(2))
    assert one.courses.of == two.courses.of


def test_pods_start_as_slowly_as_they_did() -> None:
    slow = {"metadata": {"annotations": {"fake.steersman.dev/start-delay": "7"}}}
    wanted = deployment("slow", 1)
    with Cluster(2, virtual_time=True) as cluster:
        wanted["spec"]["template"]["metadata"] |= slow["metadata"]
        cluster.apply([wanted, service("slow")])
        cluster.wait("deployment/slow", "Available")
        found = list(everything(cluster))
    for one in found:
        for obj in one.items:  # from here on nothing but what was seen says so
            template = obj.get("spec", {}).get("template", obj)
            template.get("metadata", {}).pop("annotations", None)
    report = tried(found, seconds=60.0, lost=[node_of(found, "slow")])
    ((gone, _), (back, _)) = report.courses.of["Service default/slow"].changes
    assert 7.0 <= back - gone <= 12.0
