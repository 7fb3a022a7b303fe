"""Load on an API server: raw HTTP/1.1 over TLS from several processes, so that the client costs as little as can be.

A worker process is this module run with a job (JSON on standard input); it answers with its result (JSON). Requests are
ready-made bytes, answers are cut by Content-Length and not parsed: about 30 µs of CPU for each request and answer.
"""

import asyncio
import dataclasses
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """Where it listens, and PEM files to trust and to show."""

    port: int
    authority: str
    certificate: str
    key: str


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    requests: int
    seconds: float
    bytes: int
    errors: int
    median_ms: float
    first_error: str = ""

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def run(server: Server, kind: str, count: int, *, connections: int = 32, workers: int = 2, **more: Any) -> Result:
    """`count` requests of one kind over `connections`, shared by `workers` processes that start together."""
    jobs = [
        {
            **dataclasses.asdict(server),
            "kind": kind,
            "worker": worker,
            "count": count // workers,
            "connections": connections // workers,
            **more,
        }
        for worker in range(workers)
    ]
    running = [start(job) for job in jobs]
    for worker in running:
        assert worker.stdout is not None
        worker.stdout.readline()  # connected
    go = time.perf_counter()
    for worker in running:
        tell(worker, "go")
    results = [finish(worker) for worker in running]
    seconds = time.perf_counter() - go
    return Result(
        requests=sum(one["requests"] for one in results),
        seconds=max(one["seconds"] for one in results) or seconds,
        bytes=sum(one["bytes"] for one in results),
        errors=sum(one["errors"] for one in results),
        median_ms=sorted(one["median_ms"] for one in results)[len(results) // 2],
        first_error=next((one["first_error"] for one in results if one["first_error"]), ""),
    )


def start_watchers(
    server: Server, watchers: int, events: int, *, workers: int = 2, **more: Any
) -> "list[subprocess.Popen[str]]":
    """Connected and watching; `finish` each. They are done when every watch has seen `events` events."""
    job = {**dataclasses.asdict(server), "kind": "watch", "count": events, "connections": watchers // workers, **more}
    running = [start({**job, "worker": worker}) for worker in range(workers)]
    for worker in running:
        assert worker.stdout is not None
        worker.stdout.readline()
        tell(worker, "go")
    return running


def start(job: dict[str, Any]) -> "subprocess.Popen[str]":
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    tell(worker, json.dumps(job))
    return worker


def tell(worker: "subprocess.Popen[str]", line: str) -> None:
    assert worker.stdin is not None
    worker.stdin.write(line + "\n")
    worker.stdin.flush()


def finish(worker: "subprocess.Popen[str]") -> dict[str, Any]:
    assert worker.stdout is not None
    result: dict[str, Any] = json.loads(worker.stdout.readline())
    worker.communicate(timeout=30)
    return result


# Inside a worker


def main() -> None:
    import uvloop

    job = json.loads(sys.stdin.readline())
    result = uvloop.run(_watchers(job) if job["kind"] == "watch" else _requests(job))
    print(json.dumps(result), flush=True)


async def _requests(job: dict[str, Any]) -> dict[str, Any]:
    request_of = _REQUESTS[job["kind"]]
    state = _State(job["count"])

    def following() -> bytes | None:
        number = state.sent
        if number >= state.count:
            return None
        state.sent += 1
        return request_of(job, number)

    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(lambda: _Connection(following, state), "127.0.0.1", job["port"], ssl=_tls(job)))[
            1
        ]
        for _ in range(job["connections"])
    ]
    await _wait_for_go()
    began = time.perf_counter()
    for connection in connections:
        connection.send_next()
    await state.finished.wait()
    seconds = time.perf_counter() - began
    times = sorted(state.times)
    return {
        "requests": state.done,
        "seconds": seconds,
        "bytes": state.bytes,
        "errors": state.errors,
        "median_ms": times[len(times) // 2] * 1000 if times else 0.0,
        "first_error": state.first_error,
    }


class _State:
    def __init__(self, count: int) -> None:
        self.count = count
        self.sent = self.done = self.bytes = self.errors = 0
        self.first_error = ""
        self.times: list[float] = []
        self.finished = asyncio.Event()


class _Connection(asyncio.Protocol):
    """One request at a time. Bodies are counted, not kept (but for the beginning of the first refusal)."""

    def __init__(self, following: Callable[[], bytes | None], state: _State) -> None:
        self._following = following
        self._state = state
        self._head = b""
        self._missing = 0  # bytes of the body that have not come yet, once the head is there
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def send_next(self) -> None:
        request = self._following()
        if request is not None:
            self._sent_at = time.perf_counter()
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._state.bytes += len(data)
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            self._missing = end + 4 + _content_length(self._head[:end]) - len(self._head)
        if self._missing <= 0:
            self._answered()

    def _answered(self) -> None:
        state = self._state
        state.times.append(time.perf_counter() - self._sent_at)
        state.done += 1
        if not self._head.startswith(b"HTTP/1.1 2"):
            state.errors += 1
            state.first_error = state.first_error or self._head[:600].decode(errors="replace")
        self._head, self._missing = b"", 0
        if state.done == state.count:
            state.finished.set()
        else:
            self.send_next()


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise LookupError(f"no content-length: {head!r}")


async def _watchers(job: dict[str, Any]) -> dict[str, Any]:
    """Open watches, then count the events that reach them until `count` each, or nothing has come for a while."""
    state = _State(job["count"] * job["connections"])
    loop = asyncio.get_running_loop()
    for _ in range(job["connections"]):
        path = f"/api/v1/namespaces/{job['namespace']}/pods?watch=1&resourceVersion={job['resource_version']}"
        _, watcher = await loop.create_connection(lambda: _Watcher(state), "127.0.0.1", job["port"], ssl=_tls(job))
        watcher.send(_head("GET", path, b""))
    await _wait_for_go()
    began = time.perf_counter()
    quiet_seconds, last = 0, -1
    while not state.finished.is_set() and quiet_seconds < 10:
        quiet_seconds = quiet_seconds + 1 if state.done == last else 0
        last = state.done
        try:
            await asyncio.wait_for(state.finished.wait(), 1.0)
        except TimeoutError:
            continue
    seconds = time.perf_counter() - began
    missing = state.count - state.done
    return {
        "requests": state.done,
        "seconds": seconds,
        "bytes": state.bytes,
        "errors": missing,
        "median_ms": 0.0,
        "first_error": f"{missing} events missing" if missing else "",
    }


class _Watcher(asyncio.Protocol):
    _MARK = b'"type":"ADDED"'

    def __init__(self, state: _State) -> None:
        self._state = state
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def send(self, data: bytes) -> None:
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        state = self._state
        seen = self._rest + data
        state.done += seen.count(self._MARK)
        state.bytes += len(data)
        self._rest = seen[1 - len(self._MARK) :]
        if state.done >= state.count:
            state.finished.set()


async def _wait_for_go() -> None:
    print("connected", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


def _tls(job: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=job["authority"])
    context.load_cert_chain(job["certificate"], job["key"])
    return context


# Requests


def _head(method: str, path: str, body: bytes, content_type: str = "application/json") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", "accept: application/json", "user-agent: bench"]
    if body:
        lines += [f"content-type: {content_type}", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _pods(job: dict[str, Any]) -> str:
    return f"/api/v1/namespaces/{job['namespace']}/pods"


def _name(job: dict[str, Any], number: int) -> str:
    return f"pod-{job['worker']}-{number % job['names']}"


def _create(job: dict[str, Any], number: int) -> bytes:
    return _head("POST", _pods(job), job["body"].replace("@NAME@", f"pod-{job['worker']}-{number}").encode())


def _get(job: dict[str, Any], number: int) -> bytes:
    return _head("GET", f"{_pods(job)}/{_name(job, number)}{job.get('query', '')}", b"")


def _patch(job: dict[str, Any], number: int) -> bytes:
    body = b'{"metadata":{"labels":{"round":"%d"}}}' % number
    return _head("PATCH", f"{_pods(job)}/{_name(job, number)}", body, "application/merge-patch+json")


def _list(job: dict[str, Any], number: int) -> bytes:
    return _head("GET", f"{_pods(job)}{job.get('query', '')}", b"")


_REQUESTS: dict[str, Callable[[dict[str, Any], int], bytes]] = {
    "create": _create,
    "get": _get,
    "patch": _patch,
    "list": _list,
}


if __name__ == "__main__":
    main()
