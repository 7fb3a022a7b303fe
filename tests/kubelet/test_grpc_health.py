"""gRPC's health checks against a real gRPC server."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest

from steersman.kubelet import grpc_health

LONG = "a" * 300
STATES = {"": 1, "sick": 2, "unsure": 0, LONG: 1}


async def _check(request: bytes, context: Any) -> bytes:
    """Health/Check, by the bytes of its messages."""
    name = (request[2:] if len(request) < 130 else request[3:]).decode()
    if name not in STATES:
        await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    state = STATES[name]
    return b"\x08" + bytes([state]) if state else b""


HEALTH = {"Check": grpc.unary_unary_rpc_method_handler(_check)}


@contextlib.asynccontextmanager
async def serving(service: str = "grpc.health.v1.Health") -> AsyncIterator[int]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, HEALTH),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("", (True, "service healthy")),
        (LONG, (True, "service healthy")),
        ("sick", (False, 'service unhealthy (responded with "NOT_SERVING")')),
        ("unsure", (False, 'service unhealthy (responded with "UNKNOWN")')),
        ("none", (False, 'error: health rpc failed for service "none"')),
    ],
    ids=["all", "a long name", "sick", "unsure", "none"],
)
async def test_what_is_said(service: str, expected: tuple[bool, str]) -> None:
    async with serving() as port:
        assert await grpc_health.check("127.0.0.1", port, service, "kube-probe/1.37") == expected


async def test_a_server_without_health() -> None:
    async with serving("some.Other") as port:
        assert not (await grpc_health.check("127.0.0.1", port, "", "kube-probe/1.37"))[0]


async def test_nobody_there() -> None:
    async with serving() as port:
        pass
    with pytest.raises(OSError, match="Connect call failed"):
        await grpc_health.check("127.0.0.1", port, "", "kube-probe/1.37")
