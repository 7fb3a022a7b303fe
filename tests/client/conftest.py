from collections.abc import AsyncIterator

import pytest

from steersman.aio.clock import SystemClock
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from tests.client.fake_server import FakeServer


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
async def client(server: FakeServer) -> AsyncIterator[Client]:
    found = Client(InProcessTransport(server.handle, "tester"), clock=SystemClock())
    yield found
    await found.close()
