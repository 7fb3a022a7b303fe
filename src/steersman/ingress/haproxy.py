"""The HAProxy process: started, told, reloaded. I/O.

Keeps true: it serves the newest configuration that it accepted; one that it refuses changes nothing. It outlives this process
(containers do, too) and is found again by the file with its process id. A change of servers alone goes to the running process
through its socket; any other change is a reload, in which a new worker takes over the listening sockets and the old one ends with
its last connection.
"""

import asyncio
import contextlib
import logging
import os
import pathlib
import select
import shutil
import signal
from collections.abc import Iterator, Sequence

from steersman.aio.clock import Clock
from steersman.ingress.backends import Server
from steersman.ingress.haproxy_config import Config

log = logging.getLogger(__name__)

COMMAND_SECONDS = 5.0
TAKE_OVER_SECONDS = 10.0
POLL_SECONDS = 0.02
END_SECONDS = 5.0
END_ROUNDS = 10
COMMAND_LINE_READS = 1000


class Refused(Exception):
    """HAProxy does not take the configuration; the text is its own."""


def is_installed() -> bool:
    return _program() is not None


def _program() -> str | None:
    return shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class Haproxy:
    """One process with its files in `folder`."""

    def __init__(self, folder: pathlib.Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._shown: Config | None = None

    async def show(self, config: Config) -> None:
        """Serve it. Raises Refused, OSError."""
        shown = self._shown
        if shown is not None and (shown.structure, shown.files) == (config.structure, config.files):
            if shown.servers == config.servers:
                return
            with contextlib.suppress(OSError, TimeoutError):
                await self._tell_servers(shown, config)
                self._write(config)  # for the next reload, and for whoever looks
                self._shown = config
                return
        await self._load(config)
        self._shown = config

    async def _load(self, config: Config) -> None:
        self._write(config, "new.cfg")
        await self._run("-c", "-f", str(self._folder / "new.cfg"))
        (self._folder / "new.cfg").replace(self._folder / "haproxy.cfg")
        pid, before = running(self._folder), ""
        if pid is None:
            await asyncio.to_thread(end_processes, self._folder)
            with contextlib.suppress(FileNotFoundError):
                (self._folder / "admin.sock").unlink()
            arguments = ["-W", "-D", "-p", str(self._folder / "pid"), "-S", f"{self._folder}/master.sock,mode,600"]
            await self._run(*arguments, "-f", str(self._folder / "haproxy.cfg"))
        else:
            before = await self._worker()
            os.kill(pid, signal.SIGUSR2)
        await self._wait_for_worker(before)

    def _write(self, config: Config, name: str = "haproxy.cfg") -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file, text in {**config.files, name: config.text}.items():
            path = self._folder / file
            if not path.exists() or path.read_text() != text:
                fresh = path.with_name(path.name + ".tmp")
                fresh.touch(mode=0o600)
                fresh.write_text(text)
                fresh.replace(path)

    async def _run(self, *arguments: str) -> None:
        program = _program()
        if program is None:
            raise FileNotFoundError("haproxy is not installed")
        # Not a pipe: the process that goes on in the background keeps it open.
        log_file = self._folder / "haproxy.log"
        with open(log_file, "wb") as output:
            process = await asyncio.create_subprocess_exec(
                program, *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
            )
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
                raise
        if code:
            raise Refused(log_file.read_text(errors="replace").strip())

    async def _worker(self) -> str:
        """The process id of the worker that answers; "" where none does."""
        with contextlib.suppress(OSError, TimeoutError):
            for line in (await self._command("show info")).splitlines():
                if line.startswith("Pid:"):
                    return line.partition(":")[2].strip()
        return ""

    async def _wait_for_worker(self, before: str) -> None:
        """Until another one than `before` answers: only then do new connections see the new configuration."""
        deadline = self._clock.monotonic() + TAKE_OVER_SECONDS
        while running(self._folder) is None or (await self._worker()) in ("", before):
            if self._clock.monotonic() > deadline:
                raise Refused("the new worker did not start")
            await self._clock.sleep(POLL_SECONDS)

    async def _tell_servers(self, shown: Config, config: Config) -> None:
        commands = [
            command
            for name, servers in config.servers.items()
            for number, (old, new) in enumerate(zip(shown.servers[name], servers, strict=True))
            if old != new
            for command in _server_commands(f"{name}/s{number}", new)
        ]
        if commands:
            await self._command("; ".join(commands))

    async def _command(self, text: str) -> str:
        async with self._clock.timeout(COMMAND_SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(self._folder / "admin.sock"))
            try:
                writer.write(text.encode() + b"\n")
                return (await reader.read()).decode(errors="replace")
            finally:
                writer.close()


def _server_commands(name: str, server: Server | None) -> Sequence[str]:
    if server is None:
        return (f"set server {name} state maint",)
    return (
        f"set server {name} addr {server.address} port {server.port}",
        f"set server {name} state ready",
    )


def running(folder: pathlib.Path) -> int | None:
    """The process id of the master that has its files in `folder`."""
    try:
        pid = int((folder / "pid").read_text())
        arguments = _arguments(pathlib.Path(f"/proc/{pid}"))
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(folder / "haproxy.cfg") in arguments else None


def _arguments(process: pathlib.Path) -> list[bytes]:
    """Its command line. Raises OSError where it is gone. One that turns into another program has none for a moment, and a master
    does so with each new worker: it is asked again. (A kernel thread or a zombie has none either, but no program.)"""
    for _ in range(COMMAND_LINE_READS):
        if content := (process / "cmdline").read_bytes():
            return content.split(b"\0")
        (process / "exe").readlink()
        os.sched_yield()
    return []


def end(folder: pathlib.Path) -> None:
    """Stop serving at once, and leave nothing."""
    end_processes(folder)
    shutil.rmtree(folder, ignore_errors=True)


def end_processes(folder: pathlib.Path) -> None:
    """By their command lines: one that was just being started, by a process that was killed then, has not written its process id
    yet. All of them share the ports, so one that is forgotten takes connections of whoever comes next."""
    number = signal.SIGTERM
    for _ in range(END_ROUNDS):  # what was forked while it was looked is found by the next look
        with contextlib.ExitStack() as opened:
            found = list(_opened(folder, opened))
            for descriptor in found:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(descriptor, number)
            for descriptor in found:
                if not select.select([descriptor], [], [], END_SECONDS)[0]:
                    number = signal.SIGKILL
        if not found:
            return


def _opened(folder: pathlib.Path, opened: contextlib.ExitStack) -> Iterator[int]:
    """Masters, workers and checks, as descriptors."""
    files = {os.fsencode(folder / name) for name in ("haproxy.cfg", "new.cfg")}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError), contextlib.ExitStack() as here:
            descriptor = os.pidfd_open(int(path.name))
            here.callback(os.close, descriptor)
            if not files.isdisjoint(_arguments(path)):
                opened.push(here.pop_all())
                yield descriptor
