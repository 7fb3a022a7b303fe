"""How often a driver is asked how many volumes it takes."""

import asyncio
from typing import Any

import pytest

from steersman.aio.clock import VirtualClock
from steersman.aio.virtual_loop import VirtualLoop
from steersman.api import kinds
from steersman.apiserver.server import ApiServer
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from steersman.kubelet.csi.volume_counts import VolumeCounts
from steersman.store.memory import MemoryStore

PERIOD = "nodeAllocatableUpdatePeriodSeconds"


class OneDriver:
    """Takes one volume less each time it is asked."""

    def __init__(self) -> None:
        self.room = 10

    def names(self) -> list[str]:
        return ["d.x"]

    def get(self, name: str) -> Any:
        return self

    async def call(self, service: str, method: str) -> Any:
        self.room -= 1
        return {"max_volumes_per_node": self.room}


async def shown(spec: Any, seconds: int) -> list[int]:
    """What was told in so many seconds of looking every second."""
    clock = VirtualClock(asyncio.get_running_loop())
    server = ApiServer(MemoryStore(), clock=clock)
    await server.start()
    try:
        client = Client(InProcessTransport(server.handle, "admin", ("system:masters",)), clock=clock)
        if spec is not None:
            meta = {"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": "d.x"}}
            await client.create(kinds.CSI_DRIVER, {**meta, "spec": spec})
        found: list[int] = []

        async def show(name: str, told: Any) -> None:
            found.append(told["max_volumes_per_node"])

        drivers: Any = OneDriver()
        counts = VolumeCounts(drivers, client, clock, show)
        for _ in range(seconds):
            await counts.look()
            await clock.sleep(1.0)
        return found
    finally:
        await server.close()


@pytest.mark.parametrize(
    ("spec", "expect"),
    [(None, []), ({}, []), ({PERIOD: 10}, [9, 8, 7]), ({PERIOD: 20}, [9])],
    ids=["unknown", "never", "every ten seconds", "every twenty seconds"],
)
def test_a_driver_is_asked_as_often_as_it_says(spec, expect):
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(shown(spec, 35)) == expect
