"""What all processes of a cluster have in common: an event loop that ends on SIGTERM, and an identity at the API server."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from typing import Any

import uvloop

from steersman.aio import garbage
from steersman.aio.clock import Clock
from steersman.client import kubeconfig
from steersman.client.client import Client
from steersman.client.transport import HttpTransport
from steersman.cluster import pki
from steersman.cluster.plan import Member

log = logging.getLogger(__name__)

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def run(part: Coroutine[Any, Any, None]) -> None:
    """Run a process's main coroutine until it ends or SIGTERM asks it to."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, force=True)
    garbage.look_rarely()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_terminated(part))


async def _until_terminated(part: Coroutine[Any, Any, None]) -> None:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    loop.call_later(garbage.STARTED_SECONDS, garbage.keep)
    try:
        await part
    except asyncio.CancelledError:
        log.info("asked to end")


def access(plan: Member, identity: pki.Identity, server: str = "") -> kubeconfig.Access:
    """`identity` at the API server, or at `server`."""
    pair = plan.client(identity)
    return kubeconfig.Access(
        server=server or plan.server,
        authority=plan.authority.read_bytes(),
        certificate=pair.certificate.read_bytes(),
        key=pair.key.read_bytes(),
    )


def client(plan: Member, identity: pki.Identity, agent: str, clock: Clock) -> Client:
    return Client(HttpTransport(access(plan, identity), clock=clock), user_agent=agent, clock=clock)
