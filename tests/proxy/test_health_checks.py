"""What load balancers are told of a node."""

import contextlib
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from steersman.aio.clock import SystemClock
from steersman.proxy import health_checks
from steersman.serving.messages import Request
from tests.proxy.builders import endpoint, endpoint_slice, service


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
async def checks() -> AsyncIterator[health_checks.HealthChecks]:
    found = health_checks.HealthChecks("n1", SystemClock())
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(found.close)
        yield found


async def asked(port: int) -> tuple[int, object]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as answer:
        return answer.status, await answer.json()


def told(count: int) -> object:
    return {"service": {"namespace": "d", "name": "web"}, "localEndpoints": count, "serviceProxyHealthy": True}


async def test_a_port_answers_by_the_endpoints_here(checks: health_checks.HealthChecks):
    port = free_port()
    local = service(type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=port)
    checks.stand(1)
    await checks.update("d/web", local, [endpoint_slice(endpoint("10.0.0.1", "n2"))])
    assert await asked(port) == (503, told(0))
    await checks.update("d/web", local, [endpoint_slice(endpoint("10.0.0.1"), endpoint("10.0.0.2", ready=False))])
    assert await asked(port) == (200, told(1))
    await checks.update("d/web", service(type="LoadBalancer", healthCheckNodePort=port), [])
    with pytest.raises(aiohttp.ClientConnectorError):
        await asked(port)


async def test_somebody_elses_port_is_no_end(checks: health_checks.HealthChecks):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        local = service(type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=port)
        await checks.update("d/web", local, [])
    await checks.update("d/web", local, [])
    assert (await asked(port))[0] == 503


FIGURES = {
    "/healthz": (200, "ok"),
    "/metrics/slis": (200, "# HELP kubernetes_healthcheck [STABLE]"),
    "/statusz": (200, "\nkube-proxy statusz\nWarning: "),
    "/flagz": (200, "\nkube-proxy flagz\nWarning: "),
    "/metrics": (200, "# TYPE kubeproxy_sync_proxy_rules_service_changes_total counter"),
    "/proxyMode": (200, "nftables"),
    "/else": (404, ""),
}


async def test_figures(checks: health_checks.HealthChecks):
    for path, (code, start) in FIGURES.items():
        answer = await checks.figures(Request("GET", path))
        assert (answer.status, answer.body.decode()[: len(start)]) == (code, start), path
    refused = await checks.figures(Request("GET", "/statusz", headers={"accept": "application/json"}))
    assert refused.status == 406
