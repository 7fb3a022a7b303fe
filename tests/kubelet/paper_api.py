"""A small API server on paper for the kubelet's tests: objects by path, watches, graceful deletion of pods.

The real one is tested with the kubelet in tests/testing; this one shows every request that a kubelet makes.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson

from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.api.patches import merge_patch, strategic_merge
from steersman.meta import errors, times
from steersman.meta.objects import Object
from steersman.serving.messages import Request, Response

KINDS = {kind.plural: kind for kind in kinds.BUILTIN}


class PaperApi:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.requests: list[tuple[str, str]] = []
        self.history: list[Object] = []
        self.failing = 0
        self._revision = 0
        self._watchers: list[tuple[str, asyncio.Queue[bytes]]] = []

    # What tests do

    def put(self, plural: str, obj: Object) -> Object:
        """Create or replace, as a user would."""
        meta = obj["metadata"]
        key = (plural, meta.get("namespace", ""), meta["name"])
        is_new = key not in self.objects
        meta.setdefault("uid", self.clock.uid())
        return self._store(key, obj, "ADDED" if is_new else "MODIFIED")

    def get(self, plural: str, name: str, namespace: str = "default") -> Object | None:
        return self.objects.get((plural, namespace, name))

    def remove(self, plural: str, name: str, namespace: str = "default") -> None:
        self._revision += 1
        obj = self.objects.pop((plural, namespace, name))
        self._tell(plural, "DELETED", {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self._revision)}})

    def delete_pod(self, name: str, grace_seconds: int | None = None, namespace: str = "default") -> None:
        """As `kubectl delete pod`: marks it; the kubelet removes it."""
        pod = self.objects["pods", namespace, name]
        grace = pod["spec"].get("terminationGracePeriodSeconds", 30) if grace_seconds is None else grace_seconds
        meta = {
            **pod["metadata"],
            "deletionTimestamp": times.format_seconds(self.clock.now()),
            "deletionGracePeriodSeconds": grace,
        }
        self._store(("pods", namespace, name), {**pod, "metadata": meta}, "MODIFIED")

    def statuses(self, name: str) -> list[Object]:
        """Every status that was written for a pod, in order."""
        return [pod["status"] for pod in self.history if pod["metadata"]["name"] == name]

    # The wire

    async def handle(self, request: Request) -> Response:
        self.requests.append((request.method, request.path))
        try:
            if self.failing:
                self.failing -= 1
                raise errors.unavailable("on purpose")
            return await self._answer(request)
        except errors.StatusError as refused:
            return Response(refused.code, {"content-type": "application/json"}, orjson.dumps(refused.status))

    async def _answer(self, request: Request) -> Response:
        plural, namespace, name, subresource = _parse(request.path)
        key = (plural, namespace, name)
        if request.method == "GET" and not name:
            return self._watch(plural) if request.parameter("watch") else self._list(plural)
        if request.method == "POST":
            return self._create(plural, namespace, name, subresource, orjson.loads(request.body))
        if key not in self.objects:
            raise errors.not_found(plural, name)
        if request.method == "PATCH":
            return self._patch(key, request, subresource)
        if request.method == "DELETE":
            return self._delete(key, orjson.loads(request.body or b"{}"))
        return _json(self.objects[key])

    def _list(self, plural: str) -> Response:
        items = [obj for (one, _, _), obj in self.objects.items() if one == plural]
        kind = KINDS[plural]
        return _json(
            {
                "apiVersion": kind.api_version,
                "kind": f"{kind.kind}List",
                "metadata": {"resourceVersion": str(self._revision)},
                "items": items,
            }
        )

    def _watch(self, plural: str) -> Response:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._watchers.append((plural, queue))

        async def stream() -> AsyncIterator[bytes]:
            while True:
                yield await queue.get()

        return Response(200, {"content-type": "application/json"}, stream=stream())

    def _create(self, plural: str, namespace: str, name: str, subresource: str, obj: Object) -> Response:
        if subresource == "token":
            text = f"token-{name}-{len(self.requests)}"
            expires = times.format_seconds(self.clock.now().replace(year=self.clock.now().year + 1))
            return _json({"status": {"token": text, "expirationTimestamp": expires}}, 201)
        if plural.endswith("reviews"):
            return _json({**obj, "status": {}}, 201)  # nobody is known, and nobody may anything
        if "generateName" in obj["metadata"]:
            obj["metadata"]["name"] = obj["metadata"]["generateName"] + self.clock.suffix()
        key = (plural, namespace or obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        if key in self.objects:
            raise errors.already_exists(plural, key[2])
        obj["metadata"].setdefault("uid", self.clock.uid())
        return _json(self._store(key, obj, "ADDED"), 201)

    def _patch(self, key: tuple[str, str, str], request: Request, subresource: str) -> Response:
        old, patch = self.objects[key], orjson.loads(request.body)
        uid = patch.get("metadata", {}).get("uid")
        if uid and uid != old["metadata"]["uid"]:
            raise errors.conflict(key[0], key[2], "uid differs")
        if "strategic" in request.headers["content-type"]:
            new = strategic_merge.apply(KINDS[key[0]], old, patch)
        else:
            new = merge_patch.apply(old, patch)
        if new == old:
            return _json(old)
        return _json(self._store(key, new, "MODIFIED"))

    def _delete(self, key: tuple[str, str, str], options: Object) -> Response:
        uid = (options.get("preconditions") or {}).get("uid")
        if uid and uid != self.objects[key]["metadata"]["uid"]:
            raise errors.conflict(key[0], key[2], "uid differs")
        self.remove(key[0], key[2], key[1])
        return _json({"kind": "Status", "apiVersion": "v1", "status": "Success", "metadata": {}})

    def _store(self, key: tuple[str, str, str], obj: Object, change: str) -> Object:
        self._revision += 1
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self._revision)}}
        self.objects[key] = obj
        if key[0] == "pods" and "status" in obj:
            self.history.append(obj)
        self._tell(key[0], change, obj)
        return obj

    def _tell(self, plural: str, change: str, obj: Object) -> None:
        line = orjson.dumps({"type": change, "object": obj}) + b"\n"
        for one, queue in self._watchers:
            if one == plural:
                queue.put_nowait(line)


def _json(obj: Any, status: int = 200) -> Response:
    return Response(status, {"content-type": "application/json"}, orjson.dumps(obj))


def _parse(path: str) -> tuple[str, str, str, str]:
    """(plural, namespace, name, subresource)"""
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    rest += ["", ""]
    return rest[0], namespace, rest[1], rest[2]
