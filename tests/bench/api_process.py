"""The API server alone, as `steersman up` runs it: SQLite store, TLS, uvloop. `python -m tests.bench.api_process DIR`.

Writes the port to DIR/port when it is ready.
"""

import asyncio
import pathlib
import signal
import socket
import sys

import uvloop

from steersman.aio import garbage
from steersman.aio.clock import SystemClock
from steersman.apiserver.server import ApiServer
from steersman.serving import http_server, tls
from steersman.store.sqlite import SqliteStore


async def serve(folder: pathlib.Path) -> None:
    garbage.look_rarely()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    clock = SystemClock()
    store = SqliteStore.open(folder / "state.db")
    server = ApiServer(store, clock=clock)
    await server.start()
    context = tls.server_context(folder / "apiserver.crt", folder / "apiserver.key", folder / "ca.crt")
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    serving = await http_server.serve(server.handle, sockets=[listener], ssl_context=context, clock=clock)
    (folder / "port.new").write_text(str(listener.getsockname()[1]))
    (folder / "port.new").rename(folder / "port")
    await ended.wait()
    await serving.close()
    await server.close()
    await store.close()


if __name__ == "__main__":
    uvloop.run(serve(pathlib.Path(sys.argv[1])))
