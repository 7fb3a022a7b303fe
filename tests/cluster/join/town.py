"""An API server whose controllers sign and approve, for machines that join: over HTTPS, or in process under virtual time."""

import asyncio
import contextlib
import pathlib
import threading
from collections.abc import AsyncIterator, Iterator, Mapping

import orjson

from steersman import controllers
from steersman.aio.clock import Clock, SystemClock
from steersman.aio.tasks import Tasks
from steersman.api import bootstrap_tokens
from steersman.apiserver import joining
from steersman.apiserver.server import ApiServer, Options
from steersman.client.cache import Caches
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from steersman.cluster import pki
from steersman.cluster.join import configuration
from steersman.meta.objects import Object
from steersman.serving import http_server, listeners, tls
from steersman.serving.messages import Request
from steersman.store.memory import MemoryStore
from tests.apiserver import kit

SECRETS = "/api/v1/namespaces/kube-system/secrets"
TOLD = (
    '{"format": 1, "name": "town", "address": "127.0.0.1", "network_number": 31, "kubernetes_version": "1.37", '
    '"heartbeat_seconds": 1.0}'
)


class Town:
    def __init__(self, folder: pathlib.Path, clock: Clock) -> None:
        self.clock = clock
        self.authority = pki.Authority(folder, clock.now())
        self.pem = self.authority.pair.certificate.read_bytes()
        self.url = ""
        info = joining.ClusterInfo("https://town:6443", self.pem, {configuration.KEY: TOLD})
        options = Options(token_key_pem=kit.token_key(), cluster_info=info)
        self.server = ApiServer(MemoryStore(), clock=clock, options=options)

    @contextlib.asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        client = self.client_of(pki.CONTROLLERS.user)
        caches = Caches(client, self.clock)
        wanted = controllers.Options(signing_ca=(self.pem, self.authority.pair.key.read_bytes()), cluster_cidrs=())
        await self.server.start()
        try:
            async with Tasks("town") as running:
                running.start("controllers", controllers.run(client, caches, self.clock, wanted))
                running.start("caches", caches.run())
                yield
        finally:
            await self.server.close()

    def client_of(self, user: str, groups: tuple[str, ...] = ()) -> Client:
        return Client(InProcessTransport(self.server.handle, user, groups), clock=self.clock)

    async def make(self, path: str, body: Object) -> None:
        request = Request("POST", path, body=orjson.dumps(body))
        answer = await InProcessTransport(self.server.handle, pki.ADMIN.user, pki.ADMIN.groups).request(request)
        assert answer.status == 201, answer.body

    async def make_token(self, token: str, groups: tuple[str, ...]) -> None:
        await self.make(SECRETS, bootstrap_tokens.secret(*token.split("."), groups=groups))


@contextlib.contextmanager
def served(
    folder: pathlib.Path, tokens: Mapping[str, tuple[str, ...]], nodes: tuple[Object, ...] = ()
) -> Iterator[Town]:
    """Over HTTPS, in a thread of its own; `tokens`: groups by text."""
    begun, end, found = threading.Event(), threading.Event(), []

    async def live() -> None:
        town = Town(folder, SystemClock())
        async with town.living():
            for token, groups in tokens.items():
                await town.make_token(token, groups)
            for node in nodes:
                await town.make("/api/v1/nodes", node)
            pair = town.authority.server("server", "town", ["127.0.0.1"])
            context = tls.server_context(pair.certificate, pair.key, town.authority.pair.certificate)
            listener = listeners.tcp("127.0.0.1", 0)
            town.url = f"https://127.0.0.1:{listener.getsockname()[1]}"
            async with await http_server.serve(
                town.server.handle, sockets=[listener], ssl_context=context, clock=town.clock
            ):
                found.append(town)
                begun.set()
                await asyncio.get_running_loop().run_in_executor(None, end.wait)

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    try:
        assert begun.wait(20)
        yield found[0]
    finally:
        end.set()
        thread.join()
