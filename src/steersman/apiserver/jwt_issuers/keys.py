"""The keys of an issuer: its document says where they are, and they are read again when a token is signed by another one.

Source: OpenID Connect Discovery 1.0, RFC 7517.
"""

import asyncio
import urllib.parse
from typing import Any

import orjson

from steersman.aio.clock import Clock
from steersman.apiserver.jwt_issuers.claims import Refused
from steersman.apiserver.jwt_issuers.configuration import Issuer
from steersman.client.access import Access
from steersman.client.transport import HttpTransport, Unreachable
from steersman.meta.objects import Object
from steersman.serving.messages import Request

FETCH_SECONDS_MAX = 10.0
PAUSE_SECONDS = 1.0  # between two looks at the keys, whatever tokens come
BODY_BYTES_MAX = 1 << 20


class IssuerKeys:
    """Asked for by tokens only: a server starts whether or not its issuers answer."""

    def __init__(self, issuer: Issuer, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys: list[Any] = []  # jwt.PyJWK
        self._read_at: float | None = None
        self._reading = asyncio.Lock()
        self._transports: dict[str, HttpTransport] = {}

    async def of(self, key_id: str) -> list[Any]:
        """The keys that may have signed; all of them for a token that does not say. Raises Refused."""
        found = self._named(key_id)
        if found:
            return found
        async with self._reading:
            found = self._named(key_id)
            if not found and (self._read_at is None or self._clock.monotonic() - self._read_at >= PAUSE_SECONDS):
                self._read_at = self._clock.monotonic()
                self._keys = await self._read()
                found = self._named(key_id)
        return found

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.close()

    def _named(self, key_id: str) -> list[Any]:
        return [one for one in self._keys if not key_id or one.key_id == key_id]

    async def _read(self) -> list[Any]:
        import jwt  # late: most clusters have no issuers

        document = await self._get(self._issuer.discovery_url)
        if document.get("issuer") != self._issuer.url:
            raise Refused(f"{self._issuer.discovery_url} is of another issuer: {document.get('issuer')}")
        try:
            return list(jwt.PyJWKSet.from_dict(await self._get(str(document.get("jwks_uri", "")))).keys)
        except jwt.PyJWTError as wrong:
            raise Refused(f"{document.get('jwks_uri')}: {wrong}") from wrong

    async def _get(self, url: str) -> Object:
        parts = urllib.parse.urlsplit(url)
        server = f"{parts.scheme}://{parts.netloc}"
        try:
            if server not in self._transports:
                access = Access(server, authority=self._issuer.authority.encode())
                self._transports[server] = HttpTransport(
                    access, clock=self._clock, request_seconds=FETCH_SECONDS_MAX, in_a_hurry=True
                )
            path = urllib.parse.unquote(parts.path) or "/"
            request = Request("GET", path, parts.query, headers={"accept": "application/json"})
            response = await self._transports[server].request(request)
        except (Unreachable, OSError, ValueError) as lost:
            raise Refused(f"{url}: {lost}") from lost
        if response.status != 200 or len(response.body) > BODY_BYTES_MAX:
            raise Refused(f"{url}: {response.status}")
        try:
            found = orjson.loads(response.body)
        except orjson.JSONDecodeError as wrong:
            raise Refused(f"{url}: {wrong}") from wrong
        if not isinstance(found, dict):
            raise Refused(f"{url}: no object")
        return found
