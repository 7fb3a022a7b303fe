"""Into a pod's container, for whichever verb wants it: a command of its own (exec), or the streams that it has (attach)."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Sequence

from steersman.client import upgrades
from steersman.client.http_connection import Unreachable
from steersman.kubectl import sessions
from steersman.kubectl.call import Call
from steersman.kubectl.problems import CommandError
from steersman.kubectl.streams import Streams
from steersman.meta.objects import Object
from steersman.serving import spdy
from steersman.serving.channels import CommandFailed, Wanted

HEARTBEAT_SECONDS = 5.0  # client-go's
CANNOT_BE_TERMINAL = "Unable to use a TTY - input is not a terminal or the right kind of file\n"


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """`verb` is exec (with a command) or attach."""

    pod: Object
    container: str
    verb: str
    command: Sequence[str] = ()

    def target(self, call: Call, wanted: Wanted) -> upgrades.Target:
        meta = self.pod["metadata"]
        flags = {"stdin": wanted.stdin, "stdout": wanted.stdout, "stderr": wanted.stderr, "tty": wanted.tty}
        parameters = [("container", self.container), *(("command", word) for word in self.command)]
        parameters += [(name, "true") for name, is_set in flags.items() if is_set]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/{self.verb}"
        speaks = call.environment.get("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "").lower() != "false"
        return upgrades.Target(path, parameters, call.message("GET", path).headers, websocket=speaks)


def is_raw(call: Call, *, stdin: bool, tty: bool, quiet: bool) -> bool:
    """Whether keys are to go through as they are; that they cannot is told."""
    if not (stdin and tty):
        return False
    if not call.streams.is_input_terminal:
        if not quiet:
            call.write_error(CANNOT_BE_TERMINAL)
        return False
    return True


async def open_session(call: Call, place: Place, wanted: Wanted) -> upgrades.Session:
    """Raises StatusError, CommandError, Unreachable."""
    try:
        return await upgrades.open_session(call.transport, place.target(call, wanted), wanted)
    except upgrades.UpgradeRefused as refused:
        raise CommandError(str(refused)) from refused


async def run(call: Call, place: Place, *, stdin: bool, raw: bool, redraw: bool = False) -> int:
    """With the user's streams: the exit code. Raises StatusError, CommandError, Unreachable."""
    wanted = Wanted(stdin=stdin, stdout=True, stderr=not raw, tty=raw)
    session = await open_session(call, place, wanted)
    try:
        async with _kept_alive(call, session):
            return await sessions.run(session, call.streams, stdin=stdin, is_raw=raw, redraw=redraw)
    except CommandFailed as failed:
        raise CommandError(str(failed)) from failed


async def run_with(
    call: Call,
    place: Place,
    source: sessions.Source | None,
    out: sessions.Write,
    err: sessions.Write | None = None,
) -> int:
    """With streams of one's own: the exit code. Errors go to the user unless said otherwise."""
    wanted = Wanted(stdin=source is not None, stdout=True, stderr=True, tty=False)
    session = await open_session(call, place, wanted)
    try:
        async with _kept_alive(call, session):
            return await sessions.move(session, source, out, err or sessions.write_errors_to(call.streams))
    except CommandFailed as failed:
        raise CommandError(str(failed)) from failed


@contextlib.asynccontextmanager
async def _kept_alive(call: Call, session: upgrades.Session) -> AsyncIterator[None]:
    """Signs of life: what stands between us and the server ends connections on which nothing happens."""

    async def beat() -> None:
        with contextlib.suppress(OSError, Unreachable, spdy.Closed):
            while True:
                await call.clock.sleep(HEARTBEAT_SECONDS)
                await session.ping()

    beating = asyncio.create_task(beat(), name="heartbeat")
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.wait([beating])


def told(streams: Streams, code: int) -> int:
    """Say that a command has failed; its code becomes ours."""
    if code:
        streams.write_error(f"command terminated with exit code {code}\n")
    return code
