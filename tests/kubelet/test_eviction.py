"""A node that runs short: when it counts as short, what it says, whom it refuses, who has to go and what is told."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from steersman.kubelet.eviction import conditions, decide, observations, ranking, thresholds
from steersman.kubelet.eviction.decide import State
from steersman.kubelet.eviction.observations import Observation
from steersman.kubelet.eviction.ranking import Cost, Layout
from steersman.kubelet.eviction.thresholds import Amount, Malformed, Settings, Threshold
from steersman.kubelet.storage_limits import Disk, Usage
from steersman.meta import conditions as found_conditions
from steersman.meta.objects import Object
from tests.kubelet import world
from tests.kubelet.test_agent import run
from tests.kubelet.world import container

MI, GI = 1 << 20, 1 << 30
MEMORY = Threshold(thresholds.MEMORY, Amount(100 * MI))
SOFT = Threshold(thresholds.MEMORY, Amount(500 * MI), grace_seconds=30)
DISK = Threshold(thresholds.NODE_BYTES, Amount(share=0.1), reclaim=Amount(200 * MI))
INODES = Threshold(thresholds.NODE_INODES, Amount(share=0.05))
PROCESSES = Threshold(thresholds.PROCESSES, Amount(1000))


def pod(name: str, request: str = "", priority: int = 0, resource: str = "memory", **spec: Any) -> Object:
    about: dict[str, Any] = {"resources": {"requests": {resource: request}}} if request else {}
    made = world.pod(name, containers=[container(**about)], priority=priority, **spec)
    made["metadata"]["uid"] = name
    return made


def seen(signal: str, available: int, capacity: int = 10 * GI) -> dict[str, Observation]:
    return {signal: Observation(available, capacity)}


# --- thresholds ------------------------------------------------------------------------------------------------------


def test_the_defaults_are_upstream_s() -> None:
    assert [(one.signal, one.least.of(1_000_000)) for one in Settings().thresholds()] == [
        ("memory.available", 100 * MI),
        ("nodefs.available", 100_000),
        ("nodefs.inodesFree", 50_000),
        ("imagefs.available", 150_000),
        ("imagefs.inodesFree", 50_000),
        ("allocatableMemory.available", 100 * MI),
    ]


def test_soft_thresholds_have_a_grace_period_and_what_is_to_be_won_back() -> None:
    made = Settings(
        hard={"nodefs.available": "0%"},
        soft={"memory.available": "1Gi"},
        soft_grace_periods={"memory.available": "1m30s"},
        minimum_reclaims={"memory.available": "10Mi", "nodefs.available": "5%"},
    )
    assert made.thresholds() == (Threshold("memory.available", Amount(GI), 90.0, Amount(10 * MI)),)


@pytest.mark.parametrize(
    ("about", "expect"),
    [
        ({"hard": {"cpu.available": "1"}}, "unsupported eviction signal cpu.available"),
        ({"hard": {"memory.available": "-1Mi"}}, "eviction threshold memory.available must be positive: -1Mi"),
        (
            {"hard": {"memory.available": "110%"}},
            "eviction percentage threshold memory.available must be <= 100%: 110%",
        ),
        ({"hard": {"memory.available": "-1%"}}, "eviction percentage threshold memory.available must be >= 0%: -1%"),
        (
            {"soft": {"memory.available": "1Gi"}},
            "grace period must be specified for the soft eviction threshold memory.available",
        ),
        (
            {"soft_grace_periods": {"memory.available": "-3s"}},
            "invalid eviction grace period specified: -3s, must be a positive value",
        ),
        (
            {"minimum_reclaims": {"memory.available": "-1"}},
            "negative eviction minimum reclaim specified for memory.available",
        ),
    ],
)
def test_what_cannot_be_meant(about: dict[str, Any], expect: str) -> None:
    with pytest.raises(Malformed) as refused:
        Settings(**about).thresholds()
    assert str(refused.value) == expect


@pytest.mark.parametrize(
    ("images_apart", "with_images", "expect"),
    [(False, True, 10), (True, True, 20), (True, False, 10)],
    ids=["one file system", "images and containers apart", "images apart"],
)
def test_containers_have_the_thresholds_of_their_file_system(
    images_apart: bool, with_images: bool, expect: int
) -> None:
    known = [Threshold("nodefs.available", Amount(10)), Threshold("imagefs.available", Amount(20))]
    found = thresholds.with_container_fs(known, images_apart=images_apart, containers_with_images=with_images)
    assert found[2:] == (Threshold("containerfs.available", Amount(expect)),)


# --- deciding --------------------------------------------------------------------------------------------------------


def play(known: Sequence[Threshold], *moments: tuple[float, int]) -> list[tuple[set[str], list[Threshold]]]:
    """What stands and what is due at each moment: (seconds, available of the only signal)."""
    state, found = State(), []
    for now, available in moments:
        decision = decide.decide(state, known, seen(known[0].signal, available), now, 300.0)
        state = decision.state
        found.append((set(decision.standing), list(decision.due)))
    return found


def test_a_hard_threshold_acts_at_once_and_its_condition_stays_for_a_while() -> None:
    memory = {conditions.MEMORY}
    assert play([MEMORY], (0, 500 * MI), (10, 50 * MI), (20, 500 * MI), (309, 500 * MI), (310, 500 * MI)) == [
        (set(), []),
        (memory, [MEMORY]),
        (memory, []),
        (memory, []),
        (set(), []),
    ]


def test_a_soft_threshold_shows_at_once_and_acts_after_its_grace_period() -> None:
    memory = {conditions.MEMORY}
    assert play([SOFT], (0, 400 * MI), (29, 400 * MI), (30, 400 * MI)) == [
        (memory, []),
        (memory, []),
        (memory, [SOFT]),
    ]
    assert play([SOFT], (0, 400 * MI), (10, 600 * MI), (31, 400 * MI))[-1] == (memory, []), "it begins anew"


def test_what_acted_goes_on_until_the_minimum_is_reclaimed() -> None:
    disk = {conditions.DISK}
    assert play([DISK], (0, 1100 * MI), (10, 1000 * MI), (20, 1100 * MI), (30, 1300 * MI)) == [
        (set(), []),
        (disk, [DISK]),
        (disk, [DISK]),
        (disk, []),
    ]


def test_memory_is_dealt_with_first() -> None:
    all_short = {**seen(PROCESSES.signal, 1), **seen(DISK.signal, 1), **seen(MEMORY.signal, 1)}
    found = decide.decide(State(), [DISK, PROCESSES, MEMORY], all_short, 0.0, 300.0)
    assert found.due == (MEMORY, DISK, PROCESSES)
    assert found.standing == {"MemoryPressure", "DiskPressure", "PIDPressure"}


# --- ranking ---------------------------------------------------------------------------------------------------------


def uses(wanted: Object, mebibytes: int) -> Cost:
    return Cost(wanted, {"main": mebibytes * MI})


def writes(wanted: Object, mebibytes: int, inodes: int = 0) -> Cost:
    return Cost(wanted, disk=Usage(roots={"main": Disk(mebibytes * MI, inodes)}))


def has(wanted: Object, processes: int) -> Cost:
    return Cost(wanted, processes=processes)


@pytest.mark.parametrize(
    ("threshold", "costs", "expect"),
    [
        pytest.param(MEMORY, [uses(pod("a"), 10), uses(pod("b"), 20)], "ba", id="the larger"),
        pytest.param(MEMORY, [uses(pod("a", "100Mi"), 90), uses(pod("b"), 20)], "ba", id="above before below"),
        pytest.param(MEMORY, [uses(pod("a", priority=5), 90), uses(pod("b"), 20)], "ba", id="less important"),
        pytest.param(MEMORY, [uses(pod("a", "80Mi"), 90), uses(pod("b"), 20)], "ba", id="by what is above"),
        pytest.param(DISK, [writes(pod("a"), 1), writes(pod("b"), 2)], "ba", id="disk"),
        pytest.param(INODES, [writes(pod("a"), 9, 1), writes(pod("b"), 1, 9)], "ba", id="inodes"),
        pytest.param(
            DISK,
            [writes(pod("a", "9Mi", resource="ephemeral-storage"), 8), writes(pod("b", priority=1), 2)],
            "ba",
            id="disk above its request",
        ),
        pytest.param(PROCESSES, [has(pod("a", priority=1), 90), has(pod("b"), 2), has(pod("c"), 3)], "cba", id="pids"),
    ],
)
def test_order(threshold: Threshold, costs: list[Cost], expect: str) -> None:
    assert "".join(cost.pod["metadata"]["name"] for cost in ranking.order(threshold, costs)) == expect


def test_only_what_is_on_the_file_system_counts() -> None:
    logs = Cost(pod("logs"), disk=Usage(logs={"main": Disk(5)}))
    root = Cost(pod("root"), disk=Usage(roots={"main": Disk(9)}))
    of_images = Threshold("imagefs.available", Amount(1))
    apart = Layout(images_apart=True)
    assert ranking.order(DISK, [root, logs], apart) == [logs, root]
    assert ranking.order(of_images, [logs, root], apart) == [root, logs]
    assert ranking.reclaims(DISK.signal, apart) == (False, False)
    assert ranking.reclaims(of_images.signal, apart) == (True, True)
    assert ranking.reclaims(DISK.signal, Layout(images_apart=True, containers_with_images=False)) == (True, False)
    assert ranking.reclaims(MEMORY.signal, Layout()) == (False, False)


def test_the_message_says_what_was_short_and_who_took_it() -> None:
    told = ranking.message(MEMORY, [MEMORY], seen(MEMORY.signal, 50 * MI), uses(pod("a", "8192Ki"), 20))
    assert told.text == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "
        "Container main was using 20Mi, request is 8Mi, has larger consumption of memory. "
    )
    assert told.annotations == {
        "offending_containers": "main",
        "offending_containers_usage": "20Mi",
        "starved_resource": "memory",
    }


def test_the_message_of_a_share_and_of_counts() -> None:
    wanted = writes(pod("a"), 0)
    share = thresholds.Settings(hard={"nodefs.inodesFree": "5%"}).thresholds()
    told = ranking.message(share[0], share, seen("nodefs.inodesFree", 5_000, 1_000_000), wanted)
    assert told.text == "The node was low on resource: inodes. Threshold quantity: 50000, available: 5k. "
    told = ranking.message(PROCESSES, [PROCESSES], seen(PROCESSES.signal, 12), wanted)
    assert told.text == "The node was low on resource: pids. Threshold quantity: 1k, available: 12. "


def test_a_pod_with_resources_of_its_own_is_named() -> None:
    wanted = pod("a", resources={"requests": {"memory": "8Mi"}})
    told = ranking.message(MEMORY, [], {}, uses(wanted, 20))
    assert "Pod a was using 20Mi, request is 8Mi, has larger consumption of memory. " in told.text
    assert told.annotations["offending_pod"] == "a"


@pytest.mark.parametrize(
    ("threshold", "own", "most", "expect"),
    [(MEMORY, 30, 60, 1), (SOFT, 30, 60, 30), (SOFT, 30, 5, 5), (SOFT, 30, 0, 0)],
)
def test_grace(threshold: Threshold, own: int, most: int, expect: float) -> None:
    wanted = pod("a", terminationGracePeriodSeconds=own)
    assert ranking.grace_seconds(threshold, wanted, most) == expect


# --- admission -------------------------------------------------------------------------------------------------------

TOLERANT = [{"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"}]


@pytest.mark.parametrize(
    ("wanted", "standing", "refused"),
    [
        pytest.param(pod("a"), [], False, id="no pressure"),
        pytest.param(pod("a"), [conditions.MEMORY], True, id="best effort under memory pressure"),
        pytest.param(pod("a", tolerations=TOLERANT), [conditions.MEMORY], False, id="who tolerates it"),
        pytest.param(pod("a", tolerations=TOLERANT), [conditions.DISK], True, id="who tolerates something else"),
        pytest.param(pod("a", "1Mi"), [conditions.MEMORY], False, id="burstable under memory pressure"),
        pytest.param(pod("a", "1Mi"), [conditions.MEMORY, conditions.DISK], True, id="anybody under both"),
        pytest.param(pod("a", "1Mi"), [conditions.PROCESSES], True, id="anybody under pid pressure"),
        pytest.param(pod("a", priority=2_000_000_000), [conditions.DISK], False, id="but a critical one"),
    ],
)
def test_refuses(wanted: Object, standing: list[str], refused: bool) -> None:
    assert bool(conditions.refuses(wanted, standing)) == refused


def test_a_refusal_names_all_conditions() -> None:
    text = conditions.refuses(pod("a"), [conditions.MEMORY, conditions.DISK])
    assert text == "The node had condition: [DiskPressure MemoryPressure]. "


# --- whole -----------------------------------------------------------------------------------------------------------


def test_this_machine_can_be_observed(tmp_path: Path) -> None:
    found = observations.observe(observations.Places(tmp_path, tmp_path / "images", tmp_path))
    assert {"memory.available", "nodefs.available", "imagefs.available", "pid.available"} <= found.keys()
    assert all(0 <= one.available <= one.capacity for one in found.values())


SHORT = {MEMORY.signal: 50 * MI, DISK.signal: 1, PROCESSES.signal: 9}


@pytest.mark.parametrize(
    ("signal", "condition", "text"),
    [
        (MEMORY.signal, "MemoryPressure", "memory. Threshold quantity: 100Mi, available: 50Mi"),
        (DISK.signal, "DiskPressure", "ephemeral-storage. Threshold quantity: 1Gi, available: 1"),
        (PROCESSES.signal, "PIDPressure", "pids. Threshold quantity: 1k, available: 9"),
    ],
)
def test_a_short_node_gives_up_a_pod_and_says_so(signal: str, condition: str, text: str, tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running() as kubelet:
            here.pod("small")
            await here.until_running("small")
            kubelet._evictor._observe = lambda: seen(signal, SHORT[signal])
            await kubelet._evictor.look()
            node = here.api.get("nodes", world.NODE, "") or {}
            assert found_conditions.is_true(node, condition)
            await here.until(lambda: here.phase("small") == "Failed", 5)
            assert here.status("small")["reason"] == "Evicted"
            assert here.status("small")["message"].startswith(f"The node was low on resource: {text}. ")
            assert found_conditions.is_true(here.api.get("pods", "small") or {}, "DisruptionTarget")
            resource = text.partition(".")[0]
            assert here.events.of("EvictionThresholdMet") == [f"Attempting to reclaim {resource}"]
            assert here.events.annotations["Evicted"]["starved_resource"] == resource
            here.pod("later")
            await here.until(lambda: here.phase("later") == "Failed", 5)
            assert here.status("later")["message"] == f"Pod was rejected: The node had condition: [{condition}]. "

    hard = {MEMORY.signal: "100Mi", DISK.signal: "1Gi", PROCESSES.signal: "1k"}
    run(test, tmp_path, eviction=Settings(hard=hard))


def test_one_pod_at_a_time_and_never_a_critical_one(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running() as kubelet:
            here.pod("first")
            here.pod("second", priority=5)
            here.pod("critical", priority=2_000_000_000)
            for name in ("first", "second", "critical"):
                await here.until_running(name)
            kubelet._evictor._observe = lambda: seen(MEMORY.signal, 1)
            kubelet._evictor.start()
            await here.until(lambda: here.phase("first") == "Failed", 15)
            assert here.phase("second") == "Running"
            await here.until(lambda: here.phase("second") == "Failed", 15)
            await here.clock.sleep(30)
            assert here.phase("critical") == "Running"

    run(test, tmp_path)


def test_what_nobody_needs_goes_before_any_pod(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running() as kubelet:
            here.pod("done", restartPolicy="Never")
            here.pod("busy")
            await here.until_running("busy")
            [of_done] = [one for one in await here.runtime.list_containers() if one.name == "main"][:1]
            here.runtime.exit(of_done.id, 0)
            await here.until(lambda: here.phase("done") == "Succeeded", 15)
            left = 1

            def observe() -> dict[str, Observation]:
                nonlocal left
                left, now = 10 * GI, left
                return seen(DISK.signal, now)

            kubelet._evictor._observe = observe
            await kubelet._evictor.look()
            assert here.phase("busy") == "Running"
            assert [one.pod_uid for one in await here.runtime.list_containers()] == [
                (here.api.get("pods", "busy") or {})["metadata"]["uid"]
            ]

    run(test, tmp_path)
