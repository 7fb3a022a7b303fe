"""A node that runs short: what it says, whom it refuses, who has to go."""

from pathlib import Path
from typing import Any

import pytest

from steersman.kubelet import pressure
from steersman.kubelet.pressure import Signal
from steersman.meta import conditions
from steersman.meta.objects import Object
from tests.kubelet import world
from tests.kubelet.test_agent import run
from tests.kubelet.world import container

MI = 1 << 20
LOW = Signal(pressure.MEMORY, "memory", 50 * MI, 100 * MI)
FINE = Signal(pressure.MEMORY, "memory", 500 * MI, 100 * MI)
FULL = Signal(pressure.DISK, "ephemeral-storage", 1 * MI, 100 * MI)


def pod(name: str, request: str = "", priority: int = 0) -> Object:
    about: dict[str, Any] = {"resources": {"requests": {"memory": request}}} if request else {}
    made = world.pod(name, containers=[container(**about)], priority=priority)
    made["metadata"]["uid"] = name
    return made


def uses(wanted: Object, mebibytes: int) -> pressure.Cost:
    return pressure.cost(wanted, {"main": {"memory": mebibytes * MI}})


@pytest.mark.parametrize(
    ("costs", "expect"),
    [
        pytest.param([], None, id="nobody here"),
        pytest.param([uses(pod("a"), 10), uses(pod("b"), 20)], "b", id="the larger"),
        pytest.param([uses(pod("a", "100Mi"), 90), uses(pod("b"), 20)], "b", id="above its request before below it"),
        pytest.param([uses(pod("a", priority=5), 90), uses(pod("b"), 20)], "b", id="the less important"),
        pytest.param([uses(pod("a", "80Mi"), 90), uses(pod("b"), 20)], "b", id="by what is above the request"),
        pytest.param([uses(pod("a", priority=2_000_001_000), 90)], None, id="never a critical one"),
    ],
)
def test_choose(costs: list[pressure.Cost], expect: str | None) -> None:
    victim = pressure.choose(LOW, costs)
    assert (victim.uid if victim else None) == expect


def test_the_message_says_what_was_short_and_who_took_it() -> None:
    victim = pressure.choose(LOW, [uses(pod("a", "8Mi"), 20)])
    assert victim is not None
    assert victim.message == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "
        "Container main was using 20480Ki, request is 8Mi, has larger consumption of memory. "
    )


def test_a_condition_stays_for_a_while() -> None:
    here = pressure.Conditions()
    assert here.update([FINE], 0) == frozenset()
    assert here.update([LOW], 10) == {pressure.MEMORY}
    assert here.update([FINE], 300) == {pressure.MEMORY}
    assert here.update([FINE], 310) == frozenset()


@pytest.mark.parametrize(
    ("wanted", "standing", "refused"),
    [
        pytest.param(pod("a"), [], False, id="no pressure"),
        pytest.param(pod("a"), [pressure.MEMORY], True, id="best effort under memory pressure"),
        pytest.param(pod("a", "1Mi"), [pressure.MEMORY], False, id="burstable under memory pressure"),
        pytest.param(pod("a", "1Mi"), [pressure.DISK], True, id="anybody under disk pressure"),
        pytest.param(pod("a", priority=2_000_000_000), [pressure.DISK], False, id="but a critical one"),
    ],
)
def test_refuses(wanted: Object, standing: list[str], refused: bool) -> None:
    assert bool(pressure.refuses(wanted, standing)) == refused


def test_memory_is_dealt_with_first() -> None:
    assert pressure.shortest([FULL, LOW]) == LOW
    assert pressure.shortest([FULL, FINE]) == FULL
    assert pressure.shortest([FINE]) is None


def test_this_machine_can_be_observed(tmp_path: Path) -> None:
    assert all(one.available > 0 for one in pressure.observe(tmp_path) if one.least)


def test_a_node_short_of_memory_gives_up_a_pod_and_says_so(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running() as kubelet:
            here.pod("small")
            await here.until_running("small")
            await kubelet._evictor._relieve([LOW])
            assert conditions.is_true(here.api.get("nodes", world.NODE, "") or {}, pressure.MEMORY)
            await here.until(lambda: here.phase("small") == "Failed", 5)
            assert here.status("small")["reason"] == "Evicted"
            here.pod("later")
            await here.until(lambda: here.phase("later") == "Failed", 5)
            assert here.status("later")["message"] == "Pod was rejected: The node had condition: [MemoryPressure]. "

    run(test, tmp_path)
