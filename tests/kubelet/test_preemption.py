"""Who goes so that a critical pod fits, and that it happens."""

from pathlib import Path
from typing import Any

import pytest

from steersman.kubelet import preemption, qos
from steersman.meta import conditions
from steersman.meta.objects import Object
from tests.kubelet import world
from tests.kubelet.test_agent import run
from tests.kubelet.world import container

CRITICAL = 2_000_000_000


def pod(name: str, cpu: str = "", memory: str = "", *, guaranteed: bool = False, **spec: Any) -> Object:
    amounts = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    about = container()
    if amounts:
        about["resources"] = {"requests": amounts, **({"limits": amounts} if guaranteed else {})}
    made = world.pod(name, containers=[about], **spec)
    made["metadata"]["uid"] = name
    return made


CASES: dict[str, tuple[list[Object], dict[str, int], str]] = {
    "nothing is missing": ([pod("a", "1")], {}, ""),
    "one that is enough": ([pod("a", "100m"), pod("b", "500m"), pod("c", "300m")], {"cpu": 300}, "c"),
    "the smaller of two that are": ([pod("a", "500m", "2Gi"), pod("b", "500m", "1Gi")], {"cpu": 300}, "b"),
    "several where none is": ([pod("a", "200m"), pod("b", "200m"), pod("c", "100m")], {"cpu": 300}, "ca"),
    "burstable before guaranteed": (
        [pod("a", "1", "1Gi", guaranteed=True), pod("b", "1", "1Gi")],
        {"cpu": 1000},
        "b",
    ),
    "guaranteed for what others do not have": (
        [pod("a", "1", "1Gi", guaranteed=True), pod("b", "500m")],
        {"cpu": 1500},
        "ba",
    ),
    "best effort for a place": ([pod("a"), pod("b", "1")], {"pods": 1}, "a"),
    "never a critical one": ([pod("a", "1", priority=CRITICAL), pod("b", "1")], {"cpu": 500}, "b"),
    "but of lower priority": ([pod("a", "1", priority=CRITICAL)], {"cpu": 500}, "a"),
}


@pytest.mark.parametrize("case", CASES)
def test_choose(case: str) -> None:
    pods, missing, expect = CASES[case]
    chosen = preemption.choose(pod("critical", priority=CRITICAL + 1), pods, missing)
    names = "".join(one["metadata"]["name"] for one in chosen)
    if case == "several where none is":  # any two that are enough
        freed = sum(qos.pod_requests(one)["cpu"] for one in chosen)
        assert (freed >= 300, len(chosen)) == (True, 2)
    elif case == "never a critical one":
        equal = preemption.choose(pod("critical", priority=CRITICAL), pods, missing)
        assert [one["metadata"]["name"] for one in equal] == ["b"]
    else:
        assert names == expect


def test_not_possible() -> None:
    with pytest.raises(preemption.NotPossible) as refused:
        preemption.choose(pod("critical", priority=CRITICAL), [pod("a", "100m")], {"cpu": 300})
    assert str(refused.value) == "no set of running pods found to reclaim resources: [(res: cpu, q: 200), ]"


def test_a_critical_pod_is_let_in_and_another_goes(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        def asks(cpu: str) -> list[Object]:
            return [container(resources={"requests": {"cpu": cpu}})]

        async with here.running():
            here.pod("small", containers=asks("500m"))
            here.pod("large", containers=asks("1500m"))
            await here.until_running("small")
            await here.until_running("large")
            here.pod("plain", containers=asks("1"))
            here.pod("critical", containers=asks("1"), priority=CRITICAL)
            here.pod("elsewhere", containers=asks("1"), priority=CRITICAL, nodeSelector={"a": "b"})
            here.pod("giant", containers=asks("9"), priority=CRITICAL)
            await here.until_running("critical")
            await here.until(lambda: here.phase("large") == "Failed", 5)
            assert (here.status("large")["reason"], here.status("large")["message"]) == (
                "Preempting",
                "Preempted in order to admit critical pod",
            )
            assert conditions.is_true(here.api.get("pods", "large") or {}, "DisruptionTarget")
            assert here.events.of("Preempting") == ["Preempted in order to admit critical pod"]
            assert here.phase("small") == "Running"
            assert here.status("plain")["reason"] == "OutOfcpu"
            await here.until(lambda: here.phase("elsewhere") == "Failed" and here.phase("giant") == "Failed", 5)
            assert here.status("elsewhere")["reason"] == "NodeAffinity"
            assert here.status("giant")["reason"] == "UnexpectedAdmissionError"
            assert "preemption: error finding a set of pods to preempt" in here.status("giant")["message"]

    run(test, tmp_path)
