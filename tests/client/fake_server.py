"""A small API server over a MemoryStore: no validation and no access control, but the real thing's list and watch.

Faults for tests: `refuse` answers the next requests of a method with a Status, `cut_watches` ends all watches.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import orjson

from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.serving.messages import Request, Response
from steersman.store import contract
from steersman.store.contract import Delete, Put
from steersman.store.memory import MemoryStore


class FakeServer:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.requests: list[Request] = []
        self.refuse: dict[str, list[Exception]] = {}
        self.bookmark_after_each = False
        self._watches: set[contract.Watch] = set()

    async def handle(self, request: Request) -> Response:
        self.requests.append(request)
        verb = "WATCH" if request.parameter("watch") else request.method
        try:
            if self.refuse.get(verb):
                raise self.refuse[verb].pop(0)
            return await self._answer(request)
        except errors.StatusError as refused:
            return _json(refused.status, refused.code)

    def cut_watches(self) -> None:
        for watch in [*self._watches]:
            watch.close()

    async def write(self, obj: Object) -> Object:
        """Put an object straight into the store, as another client would have."""
        group, plural = _where(obj)
        meta = obj["metadata"]
        key = "/".join(filter(None, (f"/{group}/{plural}", meta.get("namespace", ""), meta["name"])))
        revision = await self.store.txn([_put(key, obj)])
        return {**obj, "metadata": {**meta, "resourceVersion": str(revision)}}

    async def remove(self, key: str) -> None:
        entry = await self.store.get(key)
        assert entry is not None
        head, tail = _halves(orjson.loads(entry.value))
        await self.store.txn([Delete(key, head, tail)])

    async def _answer(self, request: Request) -> Response:
        key, name = _key(request.path)
        plural = key.split("/")[2]
        if request.method == "GET" and request.parameter("watch"):
            return await self._watch(key, request)
        if request.method == "GET" and not name:
            return await self._list(key, request)
        if request.method == "POST":
            return await self._create(key, plural, orjson.loads(request.body))
        entry = await self.store.get(key)
        if entry is None:
            raise errors.not_found(plural, name)
        old = orjson.loads(entry.value)
        if request.method == "GET":
            return Response(200, {}, entry.value)
        body = orjson.loads(request.body)
        if request.method == "DELETE":
            await self.store.txn([Delete(key, *_halves(old))])
            return _json({"kind": "Status", "apiVersion": "v1", "status": "Success"})
        if request.method == "PATCH":
            new = _merged(old, body)
            expect = None
        else:
            new, expect = body, int(body["metadata"].get("resourceVersion") or 0) or None
        try:
            await self.store.txn([_put(key, new, expect)])
        except contract.Mismatch as mismatch:
            raise errors.modified(plural, name) from mismatch
        return await self._stored(key)

    async def _create(self, key: str, plural: str, obj: Object) -> Response:
        name = obj["metadata"]["name"]
        if len(key.split("/")) == 4 or not key.endswith("/"):
            key = key.rstrip("/") + "/"
        try:
            await self.store.txn([_put(f"{key}{name}", obj, 0)])
        except contract.Mismatch as mismatch:
            raise errors.already_exists(plural, name) from mismatch
        return await self._stored(f"{key}{name}", 201)

    async def _stored(self, key: str, status: int = 200) -> Response:
        entry = await self.store.get(key)
        assert entry is not None
        return Response(status, {}, entry.value)

    async def _list(self, prefix: str, request: Request) -> Response:
        limit = int(request.parameter("limit", "0"))
        token = request.parameter("continue")
        revision, start = (int(token.split(":")[0]), token.split(":")[1]) if token else (0, "")
        try:
            page = await self.store.list(prefix, at_revision=revision, limit=limit, start=start)
        except contract.Compacted as gone:
            raise errors.expired() from gone
        items = [orjson.loads(entry.value) for entry in page.entries]
        for item in items:
            item.pop("apiVersion", None)
            item.pop("kind", None)
        meta: Object = {"resourceVersion": str(page.revision)}
        if page.remaining:
            meta |= {"continue": f"{page.revision}:{page.entries[-1].key}\0", "remainingItemCount": page.remaining}
        return _json({"kind": "List", "apiVersion": "v1", "metadata": meta, "items": items})

    async def _watch(self, prefix: str, request: Request) -> Response:
        try:
            watch = self.store.watch(prefix, int(request.parameter("resourceVersion")))
        except contract.Compacted:
            event = {"type": "ERROR", "object": errors.expired().status}
            return Response(200, {}, orjson.dumps(event) + b"\n")
        self._watches.add(watch)
        return Response(200, {"content-type": "application/json"}, stream=self._events(watch))

    async def _events(self, watch: contract.Watch) -> AsyncIterator[bytes]:
        try:
            async for batch in watch:
                for event in batch:
                    kind = "DELETED" if event.deleted else "MODIFIED" if event.before else "ADDED"
                    yield b'{"type":"' + kind.encode() + b'","object":' + event.value + b"}\n"
                if self.bookmark_after_each:
                    mark = {"metadata": {"resourceVersion": str(watch.revision)}}
                    yield orjson.dumps({"type": "BOOKMARK", "object": mark}) + b"\n"
        finally:
            watch.close()
            self._watches.discard(watch)

    @property
    def open_watches(self) -> int:
        return len(self._watches)


def _key(path: str) -> tuple[str, str]:
    """(store key or prefix, name)."""
    parts = path.strip("/").split("/")
    group, rest = ("core", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    return f"/{group}/{rest[0]}/" + (f"{namespace}/" if namespace else "") + name, name


def _where(obj: Object) -> tuple[str, str]:
    group = obj["apiVersion"].rpartition("/")[0] or "core"
    return group, obj["kind"].lower() + "s"


def _halves(obj: Object) -> tuple[bytes, bytes]:
    marked = {**obj, "metadata": {**obj["metadata"], "resourceVersion": "@REVISION@"}}
    head, tail = orjson.dumps(marked).split(b"@REVISION@")
    return head, tail


def _put(key: str, obj: Object, expect: int | None = None) -> Put:
    return Put(key, *_halves(obj), expect)


def _merged(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(old, dict):
        return patch
    kept = {key: value for key, value in old.items() if patch.get(key, value) is not None}
    return kept | {key: _merged(old.get(key, {}), value) for key, value in patch.items() if value is not None}


def _json(body: Object, status: int = 200) -> Response:
    return Response(status, {"content-type": "application/json"}, orjson.dumps(body))


def pod(name: str, namespace: str = "default", uid: str = "", **spec: Any) -> Object:
    meta = {"name": name, "namespace": namespace, "uid": uid or f"uid-{name}"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


@contextlib.asynccontextmanager
async def running(work: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """Run beside the block; cancelled and awaited at its end. A crash is raised."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
