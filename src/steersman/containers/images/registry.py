"""Asking one registry over HTTP(S): the OCI distribution API, with basic and token authentication.

Every byte is checked against its digest before it is used. Plain HTTP only where the host is meant so.
Source: OCI distribution specification; Docker's token authentication.
"""

import asyncio
import contextlib
import hashlib
import json
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import TracebackType
from typing import IO, Any

import aiohttp
from aiohttp import abc as aiohttp_abc

import steersman
from steersman.containers import runtime
from steersman.containers.images import blobs, hosts

MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
MANIFEST_BYTES_MAX = 4 * 1024 * 1024  # the specification's own advice
TOKEN_BYTES_MAX = 1024 * 1024
TRANSFERS_MOST = 6  # of one blob that breaks off again and again
SILENCE_SECONDS = 60.0  # a transfer that stands still for so long has failed
COPY_BYTES = 1 << 18

Network = Callable[[], contextlib.AbstractContextManager[object]]
"""Takes the calling thread, for the length of a `with`, into the network that registries are reached from."""


class RegistryError(Exception):
    """The registry said no; the text is for the user."""


class Unavailable(RegistryError):
    """No usable answer: cannot be reached, or is broken."""


class BrokeOff(Unavailable):
    """In the middle of a transfer: what has come so far is good."""


class NotFound(RegistryError):
    """It does not have that."""


class Registry:
    """One host, for the length of a pull. The login goes to the registry itself, never to a mirror."""

    def __init__(
        self,
        host: hosts.Host,
        login: runtime.RegistryLogin | None,
        network: Network = contextlib.nullcontext,
    ) -> None:
        self.host = host
        self._base = host.base
        self._plain_base = host.base.replace("https://", "http://", 1)
        self._login = None if host.namespace else login
        self._network = network
        self._authorization = ""
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Registry":
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self.host.connect_seconds, sock_read=SILENCE_SECONDS)
        self._session = aiohttp.ClientSession(
            timeout=timeout,
            connector=aiohttp.TCPConnector(
                ssl=self.host.tls(), resolver=_Resolver(self._network), socket_factory=self._open_socket
            ),
            headers=[("User-Agent", f"steersman/{steersman.__version__}"), *self.host.headers],
            proxy=self.host.proxy or None,
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def manifest(self, name: str, target: str) -> tuple[bytes, str]:
        """(bytes, media type)."""
        async with self._get(f"/{name}/manifests/{target}", name, accept=", ".join(MANIFEST_TYPES)) as answer:
            data = await _read(answer, MANIFEST_BYTES_MAX)
            return data, answer.content_type

    async def blob(self, name: str, digest: str, limit: int) -> bytes:
        async with self._get(f"/{name}/blobs/{digest}", name) as answer:
            return blobs.check(await _read(answer, limit), digest)

    async def download(self, name: str, digest: str, path: str, size: int) -> None:
        """Into a file of `size` bytes. A transfer that breaks off goes on where it was. Raises blobs.WrongDigest."""
        blobs.well_formed(digest)
        with open(path, "wb") as file:
            transfer = _Transfer(file, size)
            for times_left in reversed(range(TRANSFERS_MOST)):
                try:
                    async with self._get(f"/{name}/blobs/{digest}", name, begin=transfer.size) as answer:
                        await transfer.take(answer)
                        break
                except BrokeOff:
                    if not times_left:
                        raise
        transfer.check(digest)

    def _get(self, path: str, name: str, accept: str = "*/*", begin: int = 0) -> "_Answer":
        headers = {"Accept": accept, **({"Range": f"bytes={begin}-"} if begin else {})}
        return _Answer(self, path, name, headers)

    async def _open(self, path: str, name: str, asked: Mapping[str, str]) -> aiohttp.ClientResponse:
        answer = await self._try(path, asked)
        if answer.status == 401:
            challenge = answer.headers.get("WWW-Authenticate", "")
            answer.release()
            self._authorization = await self._authorize(challenge, name)
            answer = await self._try(path, asked)
        if answer.status >= 400:
            text = await _read(answer, TOKEN_BYTES_MAX)
            answer.release()
            raise refusal(answer.status, f"{self._base}{path}", text)
        return answer

    async def _try(self, path: str, asked: Mapping[str, str]) -> aiohttp.ClientResponse:
        """HTTPS first; plain HTTP where that is allowed and HTTPS is not spoken."""
        headers = dict(asked)
        if self._authorization:
            headers["Authorization"] = self._authorization
        query = {"ns": self.host.namespace} if self.host.namespace else None
        assert self._session is not None
        try:
            return await self._session.get(self._base + path, headers=headers, params=query)
        except aiohttp.ClientConnectorCertificateError as failed:  # it does speak HTTPS, but nobody vouches for it
            raise Unavailable(f'failed to do request: Get "{self._base}{path}": {failed}') from failed
        except (
            aiohttp.ClientSSLError,
            aiohttp.ServerDisconnectedError,
            aiohttp.ClientConnectorError,
            ssl.SSLError,
        ) as failed:
            if not self.host.may_be_plain or self._base == self._plain_base:
                raise Unavailable(f'failed to do request: Get "{self._base}{path}": {failed}') from failed
            self._base = self._plain_base
            return await self._try(path, asked)
        except aiohttp.TooManyRedirects as failed:
            raise Unavailable(f'failed to do request: Get "{self._base}{path}": stopped after 10 redirects') from failed
        except (aiohttp.ClientError, TimeoutError) as failed:
            raise Unavailable(f'failed to do request: Get "{self._base}{path}": {failed}') from failed

    async def _authorize(self, challenge: str, name: str) -> str:
        """An Authorization header that answers the challenge."""
        scheme, parameters = parse_challenge(challenge)
        if scheme == "basic":
            if self._login is None or not self._login.username:
                raise RegistryError("authorization failed: no basic auth credentials")
            return aiohttp.encode_basic_auth(self._login.username, self._login.password)
        if scheme == "bearer":
            return "Bearer " + await self._token(parameters, name)
        raise RegistryError(f"authorization failed: unknown challenge {challenge!r}")

    async def _token(self, parameters: Mapping[str, str], name: str) -> str:
        query = {"scope": parameters.get("scope") or f"repository:{name}:pull"}
        if service := parameters.get("service"):
            query["service"] = service
        realm = parameters.get("realm", "")
        headers = {}
        if self._login is not None and self._login.username:
            headers["Authorization"] = aiohttp.encode_basic_auth(self._login.username, self._login.password)
        assert self._session is not None
        try:
            async with self._session.get(realm, params=query, headers=headers) as answer:
                text = await _read(answer, TOKEN_BYTES_MAX)
                if answer.status >= 400:
                    why = refusal(answer.status, realm, text)
                    raise RegistryError(f"failed to authorize: failed to fetch anonymous token: {why}")
                found = json.loads(text)
                if not isinstance(found, dict):
                    raise ValueError("the answer is no object")
        except (aiohttp.ClientError, TimeoutError, ValueError) as failed:
            raise Unavailable(f"failed to authorize: failed to fetch oauth token: {failed}") from failed
        return str(found.get("token") or found.get("access_token") or "")

    def _open_socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, _ = address
        with self._network():
            return socket.socket(family, kind, protocol)


class _Resolver(aiohttp_abc.AbstractResolver):
    """The C library's resolver, asked in the network of the registries: a resolver may listen on loopback."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp_abc.ResolveResult]:
        found = await asyncio.to_thread(self._look_up, host, port, family)
        return [_resolved(host, kind, protocol, address) for kind, _, protocol, _, address in found]

    async def close(self) -> None:
        pass

    def _look_up(self, host: str, port: int, family: int) -> "Sequence[_Found]":
        with self._network():
            return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)


_Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]


def _resolved(
    host: str, family: socket.AddressFamily, protocol: int, address: tuple[Any, ...]
) -> aiohttp_abc.ResolveResult:
    return aiohttp_abc.ResolveResult(
        hostname=host, host=address[0], port=address[1], family=family, proto=protocol, flags=socket.AI_NUMERICHOST
    )


class _Transfer:
    """A blob on its way into a file, through as many answers as it takes."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._wanted_size = size
        self._found = hashlib.sha256()
        self.size = 0

    async def take(self, answer: aiohttp.ClientResponse) -> None:
        if self.size and answer.status != 206:  # a registry that knows no ranges: all of it once more
            self._file.seek(0)
            self._file.truncate()
            self._found, self.size = hashlib.sha256(), 0
        async for data in _pieces(answer):
            self._found.update(data)
            self._file.write(data)
            self.size += len(data)
            if self.size > self._wanted_size:  # a registry that never ends would fill the disk
                break

    def check(self, digest: str) -> None:
        if self.size != self._wanted_size:
            raise blobs.WrongDigest(
                f"unexpected commit size {self.size}, expected {self._wanted_size}: failed precondition"
            )
        if f"sha256:{self._found.hexdigest()}" != digest:
            raise blobs.WrongDigest(f"blob has digest sha256:{self._found.hexdigest()}, expected {digest}")


class _Answer:
    """`async with` around an answer, so that it is always released."""

    def __init__(self, registry: Registry, path: str, name: str, headers: Mapping[str, str]) -> None:
        self._arguments = (path, name, headers)
        self._registry = registry
        self._answer: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> aiohttp.ClientResponse:
        self._answer = await self._registry._open(*self._arguments)
        return self._answer

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._answer is not None:
            self._answer.close() if kind else self._answer.release()
        if isinstance(value, aiohttp.ClientError | TimeoutError):
            raise BrokeOff(f"the transfer broke off: {value}") from value


def parse_challenge(text: str) -> tuple[str, dict[str, str]]:
    """A WWW-Authenticate header: (scheme in lower case, parameters)."""
    scheme, _, rest = text.partition(" ")
    found = re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', rest)
    return scheme.lower(), {key: quoted or plain for key, quoted, plain in found}


def refusal(status: int, url: str, body: bytes) -> RegistryError:
    """The registry's words where it has any."""
    if status == 404:
        return NotFound(f"{url}: not found")
    words = ""
    try:
        errors = json.loads(body).get("errors") or []
        words = "; ".join(f"{e.get('code', '')}: {e.get('message', '')}" for e in errors)
    except (ValueError, AttributeError):
        pass  # no JSON of a registry: the status says it
    text = f"unexpected status from GET request to {url}: {status}{f' ({words})' if words else ''}"
    if status in (401, 403):
        return RegistryError(f"pull access denied, repository does not exist or may require authorization: {text}")
    return Unavailable(text) if status >= 500 or status == 429 else RegistryError(text)


async def _read(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    data = bytearray()
    async for piece in _pieces(answer):
        data += piece
        if len(data) > limit:
            raise RegistryError(f"{answer.url}: more than {limit} bytes")
    return bytes(data)


async def _pieces(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async for piece in answer.content.iter_chunked(COPY_BYTES):
        yield piece
