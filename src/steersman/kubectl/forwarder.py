"""Local ports that lead into a pod: listen, and carry each connection over a pair of streams of one session.

Keeps true: what is listened on is told; a connection that fails ends the session, and losing the session is an error.
Writes: sockets. Leaves to others: which ports (`forwarding`), the session's handshake (`client.upgrades`).
Source: client-go's tools/portforward.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Sequence

from steersman.aio import tasks
from steersman.client.http_connection import Unreachable
from steersman.kubectl.forwarding import Address, ForwardError, Ports
from steersman.serving import spdy

PIECE_BYTES = 32 * 1024
_GONE = (OSError, Unreachable, spdy.Closed)

Tell = Callable[[str], None]


class Forwarder:
    """`say` tells what goes on, `complain` of what does not; `log` takes what upstream writes to its log."""

    def __init__(self, session: spdy.Session, *, say: Tell, complain: Tell, log: Tell) -> None:
        self._session = session
        self._say, self._complain, self._log = say, complain, log
        self._next = 0
        self._servers: list[asyncio.Server] = []
        self._tasks = tasks.Tasks("forwarded connections")

    async def run(self, addresses: Sequence[Address], ports: Sequence[Ports]) -> None:
        """Until the session is lost, or cancelled. Raises ForwardError."""
        reading = asyncio.create_task(self._read(), name="port-forward session")
        try:
            await self._listen_on_all(addresses, ports)
            await self._session.ended.wait()
            raise ForwardError("lost connection to pod")
        finally:
            for server in self._servers:
                server.close()
            await self._tasks.close()
            with contextlib.suppress(*_GONE):
                await self._session.close()
            reading.cancel()
            await asyncio.wait([reading])

    async def _read(self) -> None:
        with contextlib.suppress(*_GONE):
            await self._session.run()

    async def _listen_on_all(self, addresses: Sequence[Address], ports: Sequence[Ports]) -> None:
        listening = 0
        for each in ports:
            try:
                await self._listen(addresses, each)
                listening += 1
            except ForwardError as failed:
                self._complain(f"Unable to listen on port {each.local}: {failed}\n")
        if not listening:
            wanted = " ".join(f"{{{each.local} {each.remote}}}" for each in ports)
            raise ForwardError(f"unable to listen on any of the requested ports: [{wanted}]")

    async def _listen(self, addresses: Sequence[Address], ports: Ports) -> None:
        failures: list[tuple[Address, str]] = []
        for address in addresses:
            try:
                listener = listen(address, ports.local)
            except OSError as failed:
                failures.append((address, _listen_error(address, ports.local, failed)))
                continue
            ports = Ports(listener.getsockname()[1], ports.remote)
            host = f"[{address.text}]" if address.is_v6 else address.text
            self._say(f"Forwarding from {host}:{ports.local} -> {ports.remote}\n")
            self._servers.append(await self._serve(listener, ports))
        any_of = [address for address in addresses if not address.must]
        failed_any = [address for address, _ in failures if not address.must]
        if (any_of and len(failed_any) == len(any_of)) or any(address.must for address, _ in failures):
            texts = " ".join(text for _, text in failures)
            raise ForwardError(f"Listeners failed to create with the following errors: [{texts}]")

    async def _serve(self, listener: socket.socket, ports: Ports) -> asyncio.Server:
        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._tasks.start("forwarded connection", self._carry(reader, writer, ports))

        return await asyncio.start_server(connected, sock=listener)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ports: Ports) -> None:
        self._say(f"Handling connection for {ports.local}\n")
        number, self._next = self._next, self._next + 1
        try:
            said = await self._exchange(reader, writer, {"port": str(ports.remote), "requestid": str(number)})
        except _GONE:
            return
        finally:
            writer.close()
        if said:
            self._log(f"an error occurred forwarding {ports.local} -> {ports.remote}: {said}")
            with contextlib.suppress(*_GONE):
                await self._session.close()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: dict[str, str]
    ) -> str:
        """Both ways until the pod has ended its side; what it says went wrong."""
        error = await self._session.open({"streamtype": "error", **headers})
        await error.finish()
        data = await self._session.open({"streamtype": "data", **headers})
        there = asyncio.create_task(_copy_there(reader, data), name="port-forward there")
        try:
            while piece := await data.receive():
                writer.write(piece)
                await writer.drain()
        finally:
            there.cancel()
            await asyncio.wait([there])
            with contextlib.suppress(*_GONE):
                await data.reset()
        said = b""
        while piece := await error.receive():
            said += piece
        return said.decode(errors="replace")


async def _copy_there(reader: asyncio.StreamReader, data: spdy.Stream) -> None:
    with contextlib.suppress(*_GONE):
        while piece := await reader.read(PIECE_BYTES):
            await data.send(piece)
        await data.finish()


def listen(address: Address, port: int) -> socket.socket:
    """Raises OSError."""
    family = socket.AF_INET6 if address.is_v6 else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.is_v6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address.text, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _listen_error(address: Address, port: int, failed: OSError) -> str:
    where = f"tcp6 [{address.text}]:{port}" if address.is_v6 else f"tcp4 {address.text}:{port}"
    why = os.strerror(failed.errno or 0).lower()
    return f"unable to create listener: Error listen {where}: bind: {why}"
