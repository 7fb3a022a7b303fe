"""What controllers and scheduler tell, and whom."""

from collections.abc import AsyncIterator

import pytest

from steersman.aio.clock import SystemClock
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from steersman.cluster import pki
from steersman.cluster.component_server import ComponentServer
from steersman.serving import zpages
from steersman.serving.messages import Peer, Request
from tests.apiserver import kit

MONITORING = Peer("127.0.0.1", "prometheus", ("system:monitoring",))


@pytest.fixture(params=[pki.CONTROLLERS, pki.SCHEDULER], ids=["controllers", "scheduler"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[ComponentServer]:
    clock = SystemClock()
    async with kit.Api() as api:
        client = Client(InProcessTransport(api.server.handle, request.param.user, request.param.groups), clock=clock)
        component = zpages.Component("kube-scheduler", "1.37.0", clock.now(), {"nodes": "1"})
        yield ComponentServer(component, client, clock)


async def ask(server: ComponentServer, path: str, peer: Peer = MONITORING, **headers: str) -> tuple[int, str]:
    found = await server.handle(Request("GET", path, headers=headers, peer=peer))
    return found.status, found.body.decode()


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
async def test_health_is_for_everybody(server: ComponentServer, path):
    assert await ask(server, path, kit.NOBODY) == (200, "ok")


async def test_the_rest_is_for_whom_the_api_server_lets(server: ComponentServer):
    code, text = await ask(server, "/metrics")
    assert code == 200
    assert 'kubernetes_build_info{git_version="v1.37.0+steersman"} 1' in text
    assert "process_cpu_seconds_total " in text
    code, text = await ask(server, "/flagz", kit.BOB)
    assert code == 403
    assert 'forbidden: User \\"bob\\" cannot get path \\"/flagz\\"' in text
    assert (await ask(server, "/statusz", kit.NOBODY))[0] == 403
    assert (await ask(server, "/statusz", kit.NOBODY, authorization="Bearer nonsense"))[0] == 401
    assert (await ask(server, "/statusz", kit.NOBODY, authorization="Bearer letmein"))[0] == 403  # alice, of the ops
    assert (await ask(server, "/statusz", kit.ADMIN))[0] == 200


async def test_what_it_is(server: ComponentServer):
    assert (await ask(server, "/statusz"))[1].startswith("\nkube-scheduler statusz\n")
    assert (await ask(server, "/flagz"))[1].endswith("\nnodes=1\n")
    await ask(server, "/livez", kit.NOBODY)
    assert 'kubernetes_healthcheck{name="ping",type="livez"} 1' in (await ask(server, "/metrics/slis"))[1]
    assert (await ask(server, "/else"))[0] == 404
    assert (await ask(server, "/statusz", accept="application/json"))[0] == 406
