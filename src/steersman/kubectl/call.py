"""One invocation of a verb: what was said, where to write, and the server it is about.

Keeps true: nothing of the server or of the kubeconfig is asked before a verb needs it.
"""

import urllib.parse
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from steersman.aio.clock import Clock
from steersman.client import requests
from steersman.kubectl import problems
from steersman.kubectl.flags import Parsed, Values
from steersman.kubectl.streams import Streams
from steersman.meta.objects import Object
from steersman.serving.messages import Request, Response

if TYPE_CHECKING:
    from steersman.client.access import Access
    from steersman.client.transport import HttpTransport
    from steersman.kubectl.discovery import Discovery

# For ever, as far as a command line goes: kubectl has no deadline of its own.
NO_DEADLINE_SECONDS = 365 * 86400.0

# What a shell tells of a program that Ctrl-C ended.
INTERRUPTED = 130

Query = str | Mapping[str, str | int | bool | Sequence[str] | None]


class Call:
    """`flags` and `arguments` as parsed; `environment` instead of os.environ; `warnings` the server's, as they came."""

    def __init__(
        self,
        parsed: Parsed,
        streams: Streams,
        environment: Mapping[str, str],
        clock: Clock,
        *,
        command: str = "kubectl",
        program: str = "kubectl",
    ) -> None:
        self.flags: Values = parsed.values
        self.arguments = list(parsed.arguments)
        self.before_dash = parsed.before_dash
        self.streams = streams
        self.environment = environment
        self.clock = clock
        self.command, self.program = command, program
        self.warnings: list[str] = []
        self.interrupted_code = INTERRUPTED
        self._access: Access | None = None
        self._transport: HttpTransport | None = None
        self._discovery: Discovery | None = None

    # Writing

    def write(self, text: str | bytes) -> None:
        self.streams.write(text)

    def print(self, text: str = "") -> None:
        self.streams.write(f"{text}\n")

    def write_error(self, text: str | bytes) -> None:
        self.streams.write_error(text)

    def tell(self, error: BaseException) -> int:
        """Say what went wrong; the exit code."""
        if isinstance(error, problems.CommandError):
            self.write(error.printed)
        server = self._access.server if self._access is not None else ""
        text, code = problems.describe(error, server=server, command=self.command)
        self.write_error(text)
        return code

    def warn(self, text: str) -> None:
        """A warning of the server's, said once."""
        if text not in self.warnings:
            self.warnings.append(text)
            self.note(text)

    def note(self, text: str) -> None:
        """A warning of our own."""
        yellow = self.streams.is_error_colored(self.environment)
        self.write_error(f"\x1b[33;1mWarning:\x1b[0m {text}\n" if yellow else f"Warning: {text}\n")

    # Where and as whom

    @property
    def access(self) -> "Access":
        """Raises KubeconfigError."""
        if self._access is None:
            from steersman.kubectl import access_flags

            self._access = access_flags.access(self.flags, self.environment)
        return self._access

    @property
    def namespace(self) -> str:
        """--namespace, the context's, or "default"."""
        return self.flags["namespace"] or self.access.namespace or "default"

    @property
    def enforce_namespace(self) -> bool:
        """--namespace was given: objects in files must not say another."""
        return bool(self.flags["namespace"])

    # Asking the server

    async def request(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """The whole answer. A body that is not bytes is sent as JSON. Raises StatusError, Unreachable."""
        response = await self.transport.request(self.message(method, path, query, body, headers=headers))
        self.check(response)
        return response

    async def ask(
        self, method: str, path: str, query: Query | None = None, body: Any = None, *, content_type: str = ""
    ) -> Any:
        """The object of the answer."""
        headers = {"content-type": content_type} if content_type else None
        response = await self.request(method, path, query, body, headers=headers)
        return orjson.loads(response.body)

    async def stream(
        self, path: str, query: Query | None = None, *, headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[bytes, None]:
        """What a GET answers, as it comes. Leave it with `contextlib.aclosing`."""
        from steersman.client import transport

        message = self.message("GET", path, query, headers=headers)
        async with transport.streaming(self.transport, message) as response:
            self.check(response)
            assert response.stream is not None
            async for piece in response.stream:
                yield piece

    def message(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Request:
        """A request as this user; for `transport.upgrade`."""
        sent: dict[str, str] = {"accept": "application/json", "user-agent": "steersman-kubectl"}
        if body is not None:
            sent["content-type"] = "application/json"
        sent.update(self.access.headers)
        sent.update(headers or {})
        raw = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        return Request(method, path, query_text(query), sent, raw)

    def check(self, response: Response) -> None:
        """Pass on the server's warnings. Raises StatusError for a refusal."""
        header = response.headers.get("warning")
        if header:
            from steersman.kubectl import warnings

            for text in warnings.parse(header):
                self.warn(text)
        if response.status >= 400:
            raise requests.refusal(response.status, response.body, response.headers)

    @property
    def transport(self) -> "HttpTransport":
        if self._transport is None:
            from steersman.client.transport import HttpTransport
            from steersman.kubectl import access_flags

            seconds = access_flags.timeout_seconds(self.flags) or NO_DEADLINE_SECONDS
            self._transport = HttpTransport(self.access, clock=self.clock, request_seconds=seconds)
        return self._transport

    async def discovery(self) -> "Discovery":
        """What the server serves, asked once."""
        if self._discovery is None:
            from steersman.kubectl import discovery

            self._discovery = await discovery.fetch(self)
            self._discovery.note = self.note
        return self._discovery

    async def close(self) -> None:
        if self._transport is not None:
            await self._transport.close()


def query_text(query: Query | None) -> str:
    """As a raw query string; None, False, "" and 0 are left out, several values of one name stand one after the other.

    A text is one already.
    """
    if isinstance(query, str):
        return query
    pairs: list[tuple[str, str]] = []
    for name, value in (query or {}).items():
        if not value:
            continue
        values = [value] if isinstance(value, (str, int)) else value
        pairs.extend((name, "true" if one is True else str(one)) for one in values)
    return urllib.parse.urlencode(pairs)


__all__ = ["Call", "Object", "query_text"]
