"""An API server over TLS on loopback, with a kubeconfig for its admin."""

import base64
import contextlib
import datetime
import pathlib
from collections.abc import AsyncIterator

from steersman.aio import clock as clocks
from steersman.apiserver import server
from steersman.cluster import pki
from steersman.serving import http_server, listeners, tls
from steersman.store.memory import MemoryStore


@contextlib.asynccontextmanager
async def api(directory: pathlib.Path) -> AsyncIterator[tuple[str, pathlib.Path, pki.Authority]]:
    """(URL, kubeconfig, authority)."""
    authority = pki.Authority(directory, clocks.SystemClock().now().astimezone(datetime.UTC))
    serving = authority.server("apiserver", "kube-apiserver", ["127.0.0.1"])
    listener = listeners.tcp("127.0.0.1", 0)
    port = listener.getsockname()[1]
    key = authority.service_account_key().read_bytes()
    store = MemoryStore()
    running = server.ApiServer(store, options=server.Options(token_key_pem=key, advertise=("127.0.0.1", port)))
    await running.start()
    context = tls.server_context(serving.certificate, serving.key, authority.pair.certificate)
    url = f"https://127.0.0.1:{port}"
    async with await http_server.serve(running.handle, sockets=[listener], ssl_context=context):
        config = directory / "kubeconfig"
        config.write_text(_kubeconfig(url, authority.pair.certificate, authority.client(pki.ADMIN)))
        yield url, config, authority
    await running.close()
    await store.close()


def _kubeconfig(url: str, ca: pathlib.Path, pair: pki.KeyPair) -> str:
    def text(path: pathlib.Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    return f"""\
apiVersion: v1
kind: Config
current-context: test
contexts: [{{name: test, context: {{cluster: test, user: test}}}}]
clusters: [{{name: test, cluster: {{server: {url}, certificate-authority-data: {text(ca)}}}}}]
users: [{{name: test, user: {{client-certificate-data: {text(pair.certificate)}, client-key-data: {text(pair.key)}}}}}]
"""
