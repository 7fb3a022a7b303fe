"""`kubectl port-forward`: ports of this machine that lead into a pod, until interrupted."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any

from steersman.client import upgrades
from steersman.kubectl import flags, forwarding, klog, targets
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.forwarder import Forwarder
from steersman.kubectl.problems import CommandError, StatusError, UsageError

FLAGS = (
    Flag(
        "address",
        flags.LIST,
        ("localhost",),
        help="Addresses to listen on, separated by commas: IP addresses or localhost, which is 127.0.0.1 and ::1, of which "
        "one is enough.",
    ),
    targets.running_timeout(60.0),
)
USAGE = "TYPE/NAME [options] [LOCAL_PORT:]REMOTE_PORT [...[LOCAL_PORT_N:]REMOTE_PORT_N]"
HELP = """Forward ports of this machine to a pod.

Of a Deployment, a Service or whatever else selects pods, one pod is chosen; the forwarding ends with that pod.
"""
EXAMPLES = """
# Ports 5000 and 6000 here are ports 5000 and 6000 there
{program} port-forward pod/web-0 5000 6000

# Port 8443 here is a Service's port named https
{program} port-forward service/web 8443:https

# Any free port here
{program} port-forward pod/web-0 :5000

# For others, too
{program} port-forward --address 0.0.0.0 pod/web-0 8888:5000
"""
LOG_SOURCE = "portforward.go:424"


async def run(call: Call) -> int | None:
    values = call.flags
    if len(call.arguments) < 2:
        raise UsageError("TYPE/NAME and list of ports are required for port-forward")
    if values["pod-running-timeout"] <= 0:
        raise UsageError(targets.NO_TIME)
    name, *texts = call.arguments
    obj = await targets.named(call, name)
    pod = await targets.attachable(call, obj, values["pod-running-timeout"])
    is_service = obj.get("kind") == "Service"
    texts = forwarding.of_service(obj, pod, texts) if is_service else forwarding.of_pod(pod, texts)
    pod = await call.ask("GET", f"/api/v1/namespaces/{call.namespace}/pods/{pod['metadata']['name']}")
    phase = (pod.get("status") or {}).get("phase", "")
    if phase != "Running":
        raise CommandError(f"unable to forward port because pod is not running. Current status={phase}")
    addresses, ports = forwarding.parse_addresses(values["address"]), forwarding.parse_ports(texts)
    path = f"/api/v1/namespaces/{call.namespace}/pods/{pod['metadata']['name']}/portforward"
    speaks = call.environment.get("KUBECTL_PORT_FORWARD_WEBSOCKETS", "").lower() != "false"
    target = upgrades.Target(path, headers=call.message("GET", path).headers, websocket=speaks)
    try:
        session = await upgrades.open_forwarding(call.transport, target)
    except (upgrades.UpgradeRefused, StatusError) as refused:
        raise CommandError(f"error upgrading connection: {refused}") from refused

    def say(text: str) -> None:
        call.write(text)
        call.streams.flush()

    def log(text: str) -> None:
        call.write_error(klog.unhandled(LOG_SOURCE, text, call.clock.now()))

    forwarder = Forwarder(session, say=say, complain=call.write_error, log=log)
    await until_interrupted(forwarder.run(addresses, ports))
    return None


async def until_interrupted(work: Coroutine[Any, Any, None]) -> None:
    """Ctrl-C is how it ends well."""
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    interrupted = asyncio.Event()
    with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):  # not in the main thread
        loop.add_signal_handler(signal.SIGINT, interrupted.set)
    waiting = asyncio.create_task(interrupted.wait())
    try:
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        for each in (task, waiting):
            each.cancel()
        await asyncio.wait([task, waiting])
        with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
            loop.remove_signal_handler(signal.SIGINT)
