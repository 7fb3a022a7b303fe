"""gRPC over this machine's sockets: calling services that a `.proto` file describes, and being one.

Imported only where somebody needs it: the library takes 15 MB and a tenth of a second.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

# Children of ours become other programs at once; the library would complain about each.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import grpc
import grpc.aio

from steersman.serving.protobuf import Malformed, Message, Method, Schema

# CRI's own limit for messages: lists of everything on a node.
MESSAGE_MOST_BYTES = 16 * 1024 * 1024
_OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE_MOST_BYTES),
    ("grpc.max_send_message_length", MESSAGE_MOST_BYTES),
    ("grpc.enable_http_proxy", 0),
]


class CallFailed(Exception):
    """The other side refused, or cannot be reached. `code` is gRPC's word for it, as NOT_FOUND or UNAVAILABLE."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Peer:
    """The services of a schema at one address (`unix:///run/x.sock`)."""

    def __init__(self, address: str, schema: Schema) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._schema = schema

    async def close(self) -> None:
        await self._channel.close()

    async def call(self, service: str, method: str, request: Mapping[str, Any], seconds: float | None) -> Message:
        """Raises CallFailed, TimeoutError."""
        made = self._schema.methods[service][method]
        ask = self._channel.unary_unary(made.path, _encoder(self._schema, made.request), _decoder(self._schema, made))
        try:
            return dict(await ask(request, timeout=seconds))
        except grpc.aio.AioRpcError as failed:
            raise _failure(failed) from failed

    async def follow(self, service: str, method: str, request: Mapping[str, Any]) -> AsyncIterator[Message]:
        """A stream of answers. Raises CallFailed."""
        made = self._schema.methods[service][method]
        ask = self._channel.unary_stream(made.path, _encoder(self._schema, made.request), _decoder(self._schema, made))
        try:
            async for answer in ask(request):
                yield answer
        except grpc.aio.AioRpcError as failed:
            raise _failure(failed) from failed


Handler = Callable[[Message], Awaitable[Message]]
Stream = Callable[[Message], AsyncIterator[Message]]


async def serve(address: str, schema: Schema, services: Mapping[str, Mapping[str, Any]]) -> grpc.aio.Server:
    """Started; `stop(grace)` ends it. Handlers by service and method: each a Handler (which may raise CallFailed) or a Stream."""
    server = grpc.aio.server(options=_OPTIONS)
    for service, handlers in services.items():
        methods = schema.methods[service]
        rows = {name: _row(schema, methods[name], handler) for name, handler in handlers.items()}
        path = next(iter(methods.values())).path.split("/")[1]
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(path, rows),))
    server.add_insecure_port(address)
    await server.start()
    return server


def _row(schema: Schema, method: Method, handler: Any) -> grpc.RpcMethodHandler:
    def decode(raw: bytes) -> Message:
        return schema.decode(method.request, raw)

    def encode(answer: Message) -> bytes:
        return schema.encode(method.response, answer)

    async def unary(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
        try:
            return dict(await handler(request))
        except CallFailed as refused:
            await context.abort(getattr(grpc.StatusCode, refused.code), refused.message)
            raise

    async def stream(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Message]:
        async for answer in handler(request):
            yield answer

    if method.streams:
        return grpc.unary_stream_rpc_method_handler(stream, decode, encode)
    return grpc.unary_unary_rpc_method_handler(unary, decode, encode)


def _encoder(schema: Schema, message: str) -> Callable[[Mapping[str, Any]], bytes]:
    return lambda value: schema.encode(message, value)


def _decoder(schema: Schema, method: Method) -> Callable[[bytes], Message]:
    def decode(raw: bytes) -> Message:
        try:
            return schema.decode(method.response, raw)
        except Malformed as wrong:
            raise ValueError(f"{method.path}: {wrong}") from wrong

    return decode


def _failure(failed: grpc.aio.AioRpcError) -> Exception:
    if failed.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return TimeoutError("context deadline exceeded")
    return CallFailed(failed.code().name, failed.details() or failed.code().name.lower())
