"""What one write costs the API server: CPU without sockets and without a disk, by kind of request.

Each figure is the mean of the quickest third of its runs of 50 requests: other work on the machine only ever adds.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson

from steersman.aio import garbage
from steersman.aio.clock import VirtualClock
from steersman.aio.virtual_loop import VirtualLoop
from steersman.apiserver.server import ApiServer
from steersman.client.transport import InProcessTransport
from steersman.serving.messages import Request, Response
from steersman.store.memory import MemoryStore
from tests.bench.report import Figure

COUNT, RUN = 1_000, 50
POD, EVENT = "/api/v1/namespaces/bench/pods", "/api/v1/namespaces/bench/events"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/bench/leases"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"

Body = Callable[[int], Any]


def run() -> list[Figure]:
    loop = VirtualLoop()
    try:
        with garbage.uncollected():
            return loop.run_until_complete(_measure(loop))
    finally:
        loop.close()


async def _measure(loop: VirtualLoop) -> list[Figure]:
    server = ApiServer(MemoryStore(), clock=VirtualClock(loop))
    await server.start()
    try:
        return [figure async for figure in _Writes(server).figures()]
    finally:
        await server.close()


class _Writes:
    def __init__(self, server: ApiServer) -> None:
        self._transport = InProcessTransport(server.handle, "bench", ("system:masters",))

    async def figures(self) -> AsyncIterator[Figure]:
        await self._ask("POST", "/api/v1/namespaces", {"metadata": {"name": "bench"}})
        await self._ask("POST", "/api/v1/namespaces/bench/serviceaccounts", {"metadata": {"name": "default"}})
        yield await self._figure("create a pod of a ReplicaSet", "POST", lambda number: POD, _pod)
        yield await self._figure("bind it", "POST", lambda number: f"{POD}/web-{number}/binding", _binding)
        path = _named(f"{POD}/web-%d/status")
        yield await self._figure("its status from the kubelet", "PATCH", path, _status(1), STRATEGIC)
        yield await self._figure("the same again with other times", "PATCH", path, _status(5), STRATEGIC)
        yield await self._figure("merge-patch a label of it", "PATCH", _named(f"{POD}/web-%d"), _label, MERGE)
        yield await self._figure("create an Event", "POST", lambda number: EVENT, _event)
        yield await self._figure("create a Lease", "POST", lambda number: LEASES, _lease)
        yield await self._figure("renew it", "PATCH", _named(f"{LEASES}/node-%d"), _renewal, MERGE)
        yield await self._figure("delete the pod at once", "DELETE", _named(f"{POD}/web-%d"), _no_grace)

    async def _figure(
        self, name: str, method: str, path: Callable[[int], str], body: Body, media_type: str = "application/json"
    ) -> Figure:
        requests = [_request(method, path(number), body(number), media_type) for number in range(COUNT)]
        took = []
        for first in range(0, COUNT, RUN):
            began = time.process_time()
            for request in requests[first : first + RUN]:
                _check(await self._transport.request(request))
            took.append((time.process_time() - began) / RUN)
            await asyncio.sleep(0)  # watchers are told
        quickest = sorted(took)[: len(took) // 3]
        return Figure(name, 1e6 * sum(quickest) / len(quickest), "µs", better="less")

    async def _ask(self, method: str, path: str, body: Any) -> None:
        _check(await self._transport.request(_request(method, path, body, "application/json")))


def _request(method: str, path: str, body: Any, media_type: str) -> Request:
    headers = {"content-type": media_type, "accept": "application/json", "user-agent": "bench"}
    return Request(method, path, "", headers, orjson.dumps(body))


def _check(response: Response) -> None:
    assert response.status < 300, response.body


def _named(path: str) -> Callable[[int], str]:
    return lambda number: path % number


def _pod(number: int) -> Any:
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "web",
        "uid": "5a2f7b10-0000-4000-8000-000000000001",
    }
    labels = {"app": "web", "pod-template-hash": "5d4f8c7"}
    container = {"name": "main", "image": "registry.example.com/web:1", "resources": {"requests": {"cpu": "10m"}}}
    meta = {"name": f"web-{number}", "labels": labels, "ownerReferences": [{**owner, "controller": True}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": [container]}}


def _binding(number: int) -> Any:
    return {"metadata": {"name": f"web-{number}"}, "target": {"apiVersion": "v1", "kind": "Node", "name": "node-1"}}


def _status(second: int) -> Body:
    at = f"2026-01-01T00:00:0{second}Z"
    types = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    conditions = [{"type": one, "status": "True", "lastTransitionTime": at} for one in types]
    container = {
        "name": "main",
        "image": "registry.example.com/web:1",
        "imageID": "sha256:a",
        "containerID": "fake://a",
    }
    state = {"ready": True, "started": True, "restartCount": 0, "state": {"running": {"startedAt": at}}}
    status = {
        "$setElementOrder/conditions": [{"type": one} for one in types],
        "conditions": conditions,
        "containerStatuses": [{**container, **state}],
        "phase": "Running",
        "hostIP": "172.30.0.2",
        "podIP": "10.244.0.5",
        "podIPs": [{"ip": "10.244.0.5"}],
        "startTime": at,
    }
    return lambda number: {"status": status}


def _label(number: int) -> Any:
    return {"metadata": {"labels": {"number": str(number)}}}


def _event(number: int) -> Any:
    about = {"apiVersion": "v1", "kind": "Pod", "namespace": "bench", "name": f"web-{number}"}
    at = "2026-01-01T00:00:00Z"
    return {
        "metadata": {"name": f"web-{number}.1845"},
        "involvedObject": {**about, "fieldPath": "spec.containers{main}"},
        "reason": "Started",
        "message": "Container started",
        "source": {"component": "kubelet", "host": "node-1"},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
        "type": "Normal",
        "reportingComponent": "kubelet",
        "reportingInstance": "node-1",
    }


def _lease(number: int) -> Any:
    spec = {"holderIdentity": f"node-{number}", "leaseDurationSeconds": 40, "renewTime": "2026-01-01T00:00:00.000000Z"}
    return {"metadata": {"name": f"node-{number}"}, "spec": spec}


def _renewal(number: int) -> Any:
    return {"spec": {"holderIdentity": f"node-{number}", "renewTime": "2026-01-01T00:00:10.000000Z"}}


def _no_grace(number: int) -> Any:
    return {"gracePeriodSeconds": 0}
