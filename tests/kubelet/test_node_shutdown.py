"""A node's shutdown: who ends when, and what the API sees of it."""

import asyncio
import datetime
import json
from pathlib import Path

import pytest

from steersman.aio.clock import VirtualClock
from steersman.kubelet import node_shutdown
from steersman.kubelet.node_shutdown import Group
from steersman.meta import conditions, times
from tests.aio import virtual
from tests.kubelet import world

CRITICAL = node_shutdown.CRITICAL_PRIORITY


@pytest.mark.parametrize(
    ("by_priority", "expected"),
    [
        (node_shutdown.steps(30, 10), [Group(20, ("low", "none", "high")), Group(10, ("critical",))]),
        (((100_000, 5), (0, 60)), [Group(60, ("low", "none")), Group(5, ("high", "critical"))]),
        (((0, 1), (5, 2), (CRITICAL, 3)), [Group(1, ("low", "none")), Group(2, ("high",)), Group(3, ("critical",))]),
    ],
)
def test_groups(by_priority: tuple[tuple[int, float], ...], expected: list[Group]) -> None:
    priorities = {"low": -5, "none": 0, "high": 100_000, "critical": CRITICAL + 1000}
    assert node_shutdown.groups(priorities, by_priority) == expected


def test_pods_end_by_priority_and_say_why(tmp_path: Path) -> None:
    async def body(clock: VirtualClock) -> None:
        here = world.make(clock, tmp_path, shutdown_grace_seconds=30, shutdown_grace_critical_seconds=10)
        slow = {"fake.steersman.dev/stop-seconds": "never"}
        async with here.running() as kubelet:
            here.pod("plain", annotations=slow, terminationGracePeriodSeconds=100)
            here.pod("critical", priority=CRITICAL, annotations=slow, terminationGracePeriodSeconds=5)
            await here.until_running("plain")
            await here.until_running("critical")
            await kubelet.shut_down()
            for name in ("plain", "critical"):
                status = here.status(name)
                assert (status["phase"], status["reason"]) == ("Failed", "Terminated")
                assert status["message"] == "Pod was terminated in response to imminent node shutdown."
                found = conditions.find(status["conditions"], "DisruptionTarget")
                assert found is not None
                assert found["reason"] == "TerminationByKubelet"
            ended = [here.container(name=name)["state"]["terminated"]["finishedAt"] for name in ("plain", "critical")]
            took = (times.parse(ended[1]) - times.parse(ended[0])).total_seconds()
            assert 5 <= took <= 6, "critical pods go last, and have the time they ask for"
            node = here.api.get("nodes", world.NODE, "")
            ready = conditions.find((node or {})["status"]["conditions"], "Ready")
            assert ready is not None
            assert (ready["status"], ready["reason"], ready["message"]) == (
                "False",
                "KubeletNotReady",
                "node is shutting down",
            )
            here.pod("late")
            await here.until(lambda: here.phase("late") == "Failed", 5)
            assert here.status("late")["reason"] == "NodeShutdown"
            assert here.status("late")["message"].endswith("Pod was rejected as the node is shutting down.")

    virtual.run(body)


def test_a_shutdown_that_is_called_off(tmp_path: Path) -> None:
    """Who was told to end ends; who was not lives on, and the node takes pods again."""

    async def body(clock: VirtualClock) -> None:
        here = world.make(clock, tmp_path, shutdown_grace_seconds=30, shutdown_grace_critical_seconds=10)
        slow = {"fake.steersman.dev/stop-seconds": "3"}

        def ready() -> tuple[str, str]:
            node = here.api.get("nodes", world.NODE, "") or {}
            found = conditions.find(node["status"]["conditions"], "Ready") or {}
            return found["status"], found["message"]

        async with here.running() as kubelet:
            here.pod("plain", annotations=slow)
            here.pod("critical", priority=CRITICAL, annotations=slow)
            await here.until_running("plain")
            await here.until_running("critical")
            going = asyncio.ensure_future(kubelet.shut_down())
            await here.until(lambda: ready() == ("False", "node is shutting down"), 2)
            await kubelet.call_off_shutdown()
            assert await going is False
            assert here.phase("plain") == "Failed"
            assert here.is_ready("critical")
            assert ready()[0] == "True"
            here.pod("late")
            await here.until_running("late")
            assert here.events.of("Shutdown") == [
                "Shutdown manager detected shutdown event",
                "Shutdown manager detected shutdown cancellation",
            ]
            await kubelet.call_off_shutdown()
            assert len(here.events.of("Shutdown")) == 2, "there is nothing to call off"
            assert await kubelet.shut_down() is True
            assert here.phase("critical") == here.phase("late") == "Failed"

    virtual.run(body)


def test_a_shutdown_leaves_a_record(tmp_path: Path) -> None:
    at = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    for ended in (None, at):
        node_shutdown.save(tmp_path, at, ended)
        [file] = tmp_path.iterdir()
        assert file.name == "graceful_node_shutdown_state"
        told = json.loads(file.read_text())
        assert told == {"startTime": "2026-01-01T00:00:00.000000Z", "endTime": ended and "2026-01-01T00:00:00.000000Z"}
