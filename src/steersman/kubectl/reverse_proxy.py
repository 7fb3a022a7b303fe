"""The API server on a local port, with the user's credentials: what is let through, and how it gets there.

Keeps true: requests that the filter refuses never leave; streams flow as they come; what a client upgrades to (exec, attach,
WebSockets) passes as it is.
Leaves to others: listening (`commands.proxy`), credentials (the transport has them).
Source: kubectl's pkg/proxy, apimachinery's util/proxy.
"""

import asyncio
import contextlib
import dataclasses
import html
import mimetypes
import posixpath
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path

from steersman.client.http_connection import Unreachable
from steersman.client.transport import Transport
from steersman.serving.messages import Duplex, Request, Response

ACCEPT_HOSTS = r"^localhost$,^127\.0\.0\.1$,^\[::1\]$"
ACCEPT_PATHS = "^.*"
REJECT_PATHS = "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach"
REJECT_METHODS = "^$"

# Headers of one connection, not of the request; and those that the next connection writes itself.
_HOP = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"}
_HOP |= {"te", "trailer", "transfer-encoding", "upgrade"}
_OWN = {"host", "content-length"}
_SAFE = "/:@!$&'()*+,;=~"  # characters of a path that need no escape (RFC 3986)


@dataclasses.dataclass(frozen=True, slots=True)
class Filter:
    accept_paths: Sequence[re.Pattern[str]]
    reject_paths: Sequence[re.Pattern[str]]
    accept_hosts: Sequence[re.Pattern[str]]
    reject_methods: Sequence[re.Pattern[str]]

    def accepts(self, method: str, path: str, host: str) -> bool:
        if _matches(path, self.reject_paths) or _matches(method, self.reject_methods):
            return False
        return _matches(path, self.accept_paths) and _matches(host, self.accept_hosts)


def patterns(text: str) -> list[re.Pattern[str]]:
    """Regular expressions between commas. Raises re.error."""
    return [re.compile(part) for part in text.split(",")] if text else []


def host_of(header: str) -> str:
    """Of a Host header, without the port; IPv6 keeps its brackets unless there was one."""
    if header.startswith("["):
        inside, bracket, rest = header[1:].partition("]")
        return inside if bracket and rest.startswith(":") else header
    host, colon, _ = header.partition(":")
    return host if header.count(":") == 1 and colon else header


class ReverseProxy:
    """`api_prefix` and `static_prefix` begin and end with /. `server_path` comes before every path."""

    def __init__(
        self,
        transport: Transport,
        headers: Mapping[str, str],
        *,
        api_prefix: str = "/",
        permitted: Filter | None = None,
        static_prefix: str = "",
        static_folder: Path | None = None,
    ) -> None:
        self._transport = transport
        self._headers = headers
        self._api_prefix = api_prefix
        self._permitted = permitted
        self._static_prefix, self._static_folder = static_prefix, static_folder

    async def handle(self, request: Request) -> Response:
        path = request.path
        clean = clean_path(path)
        if f"{clean}/" in (self._api_prefix, self._static_prefix):
            clean += "/"
        if clean != path:
            target = urllib.parse.quote(clean, safe=_SAFE) + (f"?{request.query}" if request.query else "")
            return _moved(target)
        if self._static_folder is not None and self._is_static(path):
            return static_file(self._static_folder, path[len(self._static_prefix) :], request)
        if not path.startswith(self._api_prefix):
            return _text(404, "404 page not found")
        if not self._api_prefix.startswith("/api"):
            path = "/" + path[len(self._api_prefix) :].lstrip("/") if self._api_prefix != "/" else path
        host = host_of(request.headers.get("host", ""))
        if self._permitted is not None and not self._permitted.accepts(request.method, path, host):
            return _text(403, "Forbidden")
        try:
            return await self._forward(request, path)
        except (Unreachable, OSError) as failed:
            return _text(500, str(failed))

    def _is_static(self, path: str) -> bool:
        """The longer prefix wins."""
        is_api = path.startswith(self._api_prefix) and len(self._api_prefix) > len(self._static_prefix)
        return path.startswith(self._static_prefix) and not is_api

    async def _forward(self, request: Request, path: str) -> Response:
        headers = _without(request.headers, _HOP | _OWN) | dict(self._headers)
        if request.peer.address:
            headers["x-forwarded-for"] = request.peer.address
        message = Request(request.method, path, request.query, headers, request.body)
        if "upgrade" in request.headers:
            message.headers = {**headers, "connection": "Upgrade", "upgrade": request.headers["upgrade"]}
            return await self._upgrade(message)
        if request.method == "HEAD":
            response = await self._transport.request(message)
        else:
            response = await self._transport.stream(message)
        keep = {"content-length"} if response.stream is not None else set()
        response.headers = _without(response.headers, (_HOP | _OWN) - keep)
        return response

    async def _upgrade(self, message: Request) -> Response:
        response, duplex = await self._transport.upgrade(message)
        if duplex is None:
            response.headers = _without(response.headers, _HOP | _OWN)
            return response
        server = duplex

        async def upgraded(client: Duplex) -> None:
            await join(client, server)

        return Response(101, dict(response.headers), upgrade=upgraded)


async def join(one: Duplex, other: Duplex) -> None:
    """Bytes both ways until either side has ended."""
    copies = [asyncio.create_task(_copy(one, other)), asyncio.create_task(_copy(other, one))]
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for copy in copies:
            copy.cancel()
        await asyncio.wait(copies)
        for end in (one, other):
            with contextlib.suppress(OSError, Unreachable):
                await end.close()


async def _copy(source: Duplex, target: Duplex) -> None:
    with contextlib.suppress(OSError, Unreachable):
        while data := await source.receive():
            await target.send(data)


def static_file(folder: Path, name: str, request: Request) -> Response:
    """As Go's file server: index.html stands for its folder, a folder without one is listed."""
    wanted = "/" + name.lstrip("/")
    parts = [part for part in wanted.split("/") if part not in ("", ".")]
    if ".." in parts:
        return _text(400, "invalid URL path")
    if wanted.endswith("/index.html"):
        return Response(301, {"location": "./"})
    path = folder.joinpath(*parts)
    is_folder = path.is_dir()
    if not path.exists():
        return _text(404, "404 page not found")
    if is_folder != wanted.endswith("/"):
        last = urllib.parse.quote(parts[-1]) if parts else ""
        return Response(301, {"location": f"{last}/" if is_folder else f"../{last}"})
    if is_folder and not (path / "index.html").is_file():
        return Response(200, {"content-type": "text/html; charset=utf-8"}, _listing(path))
    path = path / "index.html" if is_folder else path
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    kind += "; charset=utf-8" if kind.startswith("text/") else ""
    return Response(200, {"content-type": kind}, b"" if request.method == "HEAD" else path.read_bytes())


def _listing(folder: Path) -> bytes:
    names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in folder.iterdir())
    lines = [f'<a href="{urllib.parse.quote(name, safe=_SAFE)}">{html.escape(name)}</a>\n' for name in names]
    head = '<!doctype html>\n<meta name="viewport" content="width=device-width">\n'
    return f"{head}<pre>\n{''.join(lines)}</pre>\n".encode()


def clean_path(path: str) -> str:
    """Without empty parts, `.` and `..`; a slash at the end stays."""
    clean = posixpath.normpath("/" + path.lstrip("/"))
    return f"{clean}/" if path.endswith("/") and clean != "/" else clean


def _moved(target: str) -> Response:
    headers = {"location": target, "content-type": "text/html; charset=utf-8"}
    return Response(301, headers, f'<a href="{html.escape(target)}">Moved Permanently</a>.\n\n'.encode())


def _matches(text: str, expressions: Sequence[re.Pattern[str]]) -> bool:
    return any(expression.search(text) for expression in expressions)


def _without(headers: Mapping[str, str], names: set[str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}


def _text(status: int, text: str) -> Response:
    headers = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}
    return Response(status, headers, f"{text}\n".encode())
