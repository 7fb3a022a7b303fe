"""Follows each request through its stages, and gives an Event of each that the policy wants to those who keep them.

Source of stages, and of what stands in an event at which level: upstream's endpoints/filters/audit.go and audit/request.go.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Protocol

import orjson

from steersman.aio.clock import Clock
from steersman.apiserver import negotiation, paths, users
from steersman.apiserver.audit.policy import Level, Policy
from steersman.apiserver.audit.trail import Trail
from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.serving import messages

_LONG_RUNNING = frozenset(("attach", "exec", "proxy", "log", "portforward"))  # and all watches
_WRITES = frozenset(("create", "update", "patch", "delete", "deletecollection"))
_OF_STATUS = ("status", "message", "reason", "details", "code")
_EARLY = {"metadata": {}, "status": "Success", "message": "Connection closed early", "code": 200}


class Sink(Protocol):
    """Who keeps events."""

    def write(self, event: Object) -> None:
        """Takes an event, which it does not change. Never raises."""

    async def run(self) -> None:
        """What there is to do beside, until cancelled or done."""

    async def close(self) -> None:
        """All that was taken is kept."""


class Auditor:
    """`begin` a request, `end` it with its answer; the trail between takes what is to be told."""

    def __init__(self, policy: Policy, sinks: Sequence[Sink], clock: Clock) -> None:
        self._policy = policy
        self._sinks = sinks
        self._clock = clock

    def begin(
        self, request: messages.Request, target: paths.Target, user: users.User | None, audit_id: str
    ) -> Trail | None:
        """None for a request of which nothing is written down."""
        verdict = self._policy.of(target, user)
        if verdict.level is Level.None_:
            return None
        trail = Trail(verdict, audit_id, request, target, user, self._clock.now())
        if user is not None:
            self._tell(trail, "RequestReceived")
        trail.enter()
        return trail

    def unauthenticated(self, request: messages.Request, target: paths.Target, audit_id: str, code: int) -> None:
        """A request of nobody knows whom: one event tells all."""
        trail = self.begin(request, target, None, audit_id)
        if trail is not None:
            trail.leave()
            tried = ", ".join(_credentials(request)) or "none"
            told = f"Authentication failed, attempted: {tried}"
            trail.status = {
                "metadata": {},
                "status": "Failure",
                "message": told,
                "reason": "Unauthorized",
                "code": code,
            }
            self._tell(trail, "ResponseStarted")

    def end(self, trail: Trail, request: messages.Request, response: messages.Response) -> None:
        """What the answer says. What goes on after it has begun is told when that has ended."""
        trail.leave()
        _read_request(trail, request)
        _read_response(trail, response)
        target = trail.target
        is_long = target.verb == "watch" or (target.is_resource and target.subresource in _LONG_RUNNING)
        if is_long:
            self._tell(trail, "ResponseStarted")
        if response.stream is not None:
            response.stream = self._followed(trail, response.stream)
        elif response.upgrade is not None:
            response.upgrade = self._upgraded(trail, response.upgrade)
        else:
            self._tell(trail, "ResponseComplete")

    def cut_off(self, trail: Trail) -> None:
        """The client went away before there was an answer."""
        trail.leave()
        trail.status = dict(_EARLY)
        self._tell(trail, "ResponseComplete")

    def failed(self, trail: Trail, failure: BaseException) -> None:
        """Nobody expected this."""
        trail.leave()
        told = f"APIServer panic'd: {failure}"
        trail.status = {"metadata": {}, "status": "Failure", "message": told, "reason": "InternalError", "code": 500}
        self._tell(trail, "Panic")

    async def run(self) -> None:
        await asyncio.gather(*(sink.run() for sink in self._sinks))

    async def close(self) -> None:
        for sink in self._sinks:
            await sink.close()

    def _tell(self, trail: Trail, stage: str) -> None:
        if stage in trail.verdict.omitted_stages:
            return
        event = trail.event(stage, self._clock.now())
        for sink in self._sinks:
            sink.write(event)

    async def _followed(self, trail: Trail, stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        try:
            async for piece in stream:
                yield piece
        finally:
            close = getattr(stream, "aclose", None)
            with contextlib.ExitStack() as told:
                told.callback(self._tell, trail, "ResponseComplete")
                if close is not None:
                    await close()

    def _upgraded(self, trail: Trail, upgrade: messages.Upgrade) -> messages.Upgrade:
        async def run(duplex: messages.Duplex) -> None:
            try:
                await upgrade(duplex)
            finally:
                self._tell(trail, "ResponseComplete")

        return run


def _credentials(request: messages.Request) -> list[str]:
    """What was tried, as upstream calls it."""
    found = []
    header = request.headers.get("authorization", "").partition(" ")[0].lower()
    if header == "basic":
        found.append("basic")
    if header == "bearer" or "access_token" in request.query:
        found.append("bearer")
    if request.peer.certificate_user:
        found.append("x509")
    return found


def _read_request(trail: Trail, request: messages.Request) -> None:
    """The object that was sent. A patch is itself what was asked for; a body that is no object is not written down."""
    if not request.body or trail.target.verb not in _WRITES or not trail.target.is_resource:
        return
    try:
        if trail.target.verb == "patch":
            found = negotiation.read_yaml(request.body) if trail.has(Level.Request) else {}
        else:
            found = negotiation.read_object(request)
            trail.name_object(found)
    except errors.StatusError:
        return
    if trail.has(Level.Request):
        trail.request_object = _shown(trail, found)


def _read_response(trail: Trail, response: messages.Response) -> None:
    trail.status = {"metadata": {}, "code": response.status}
    if not response.body or (response.status < 400 and not trail.has(Level.RequestResponse)):
        return
    read = messages.Request(
        "", "", headers={"content-type": response.headers.get("content-type", "")}, body=response.body
    )
    try:
        found = negotiation.read_object(read)
    except errors.StatusError:
        return  # no object: a log, a page
    if found.get("kind") == "Status" and found.get("apiVersion") == "v1":
        told = {field: found[field] for field in _OF_STATUS if field in found}
        trail.status = {"metadata": {}, "code": response.status} | told
    if trail.has(Level.RequestResponse):
        trail.response_object = _shown(trail, found)


def _shown(trail: Trail, found: Object) -> Object:
    if not trail.verdict.omits_managed_fields or not isinstance(found, Mapping):
        return found
    for one in (found, *(found.get("items") or ())):
        if isinstance(one, dict) and isinstance(one.get("metadata"), dict):
            one["metadata"].pop("managedFields", None)
    return found


def line(event: Object) -> bytes:
    """As a log has it: JSON in a line of its own."""
    return orjson.dumps(event) + b"\n"
