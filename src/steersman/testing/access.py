"""The way into an in-process cluster for clients outside it: HTTPS on a free port, and a kubeconfig.

Made only when asked for: certificates and a socket cost more than the rest of the cluster.
"""

import hashlib
import pathlib
import shutil
import socket
import tempfile

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from steersman.aio.clock import Clock
from steersman.client import kubeconfig
from steersman.cluster import pki
from steersman.serving import http_server, tls
from steersman.serving.messages import Handler

_HOST = "127.0.0.1"
_BACKLOG = 128


class Access:
    """One listening server with its own authority; `close` leaves nothing behind."""

    def __init__(self, folder: pathlib.Path, server: http_server.Server, port: int) -> None:
        self._folder = folder
        self._server = server
        self.url = f"https://{_HOST}:{port}"
        self.kubeconfig = folder / "kubeconfig"

    async def close(self) -> None:
        await self._server.close()
        shutil.rmtree(self._folder)


async def open_access(handler: Handler, clock: Clock, name: str) -> Access:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="steersman-"))
    try:
        authority = pki.Authority(_made(folder / "pki"), clock.now())
        pair = authority.server("apiserver", "kube-apiserver", [_HOST, "localhost"])
        context = tls.server_context(pair.certificate, pair.key, authority.pair.certificate)
        listener = socket.create_server((_HOST, 0), backlog=_BACKLOG)
        server = await http_server.serve(handler, sockets=[listener], ssl_context=context, clock=clock)
        access = Access(folder, server, listener.getsockname()[1])
        _write_kubeconfig(access, authority, name)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return access


def make_token_key(seed: int | None = None) -> bytes:
    """A key (PEM) that signs service account tokens; from a seed always the same one (and so no secret)."""
    curve = ec.SECP256R1()
    if seed is None:
        key = ec.generate_private_key(curve)
    else:
        number = int.from_bytes(hashlib.sha256(f"steersman token key {seed}".encode()).digest()[:31])
        key = ec.derive_private_key(number + 1, curve)
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _write_kubeconfig(access: Access, authority: pki.Authority, name: str) -> None:
    admin = authority.client(pki.ADMIN)
    seen = kubeconfig.Access(
        server=access.url,
        authority=authority.pair.certificate.read_bytes(),
        certificate=admin.certificate.read_bytes(),
        key=admin.key.read_bytes(),
    )
    kubeconfig.write(access.kubeconfig, kubeconfig.build(name, seen, user=pki.ADMIN.user))


def _made(folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir()
    return folder
