"""A kubelet with the fake runtime and the API on paper, under virtual time."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks
from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from steersman.containers.fake import FakeRuntime
from steersman.kubelet.agent import Kubelet
from steersman.kubelet.node_object import Machine
from steersman.kubelet.options import Options
from steersman.kubelet.pods_by_node import PodsByNode
from steersman.meta import conditions
from steersman.meta.objects import Object
from tests.kubelet import paper_api

NODE = "node-1"


class Events:
    """Records what the kubelet says."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, str]] = []
        self.fields: list[tuple[str, str]] = []
        self.annotations: dict[str, dict[str, str]] = {}

    def event(
        self,
        obj: Object,
        type: str,  # noqa: A002
        reason: str,
        message: str,
        *,
        field_path: str = "",
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        if annotations:
            self.annotations[reason] = dict(annotations)
        self.said.append((type, reason, message))
        self.fields.append((reason, field_path))

    def containers_of(self, reason: str) -> list[str]:
        return [field.partition("{")[2].rstrip("}") for one, field in self.fields if one == reason]

    def of(self, reason: str) -> list[str]:
        return [message for _, one, message in self.said if one == reason]


@dataclasses.dataclass
class World:
    """`runtime` is a FakeRuntime unless a test puts a real one in its place."""

    clock: Clock
    api: paper_api.PaperApi
    runtime: Any
    events: Events
    options: Options
    kubelet: Kubelet | None = None
    machine: Machine = Machine(cpus=2, memory_bytes=4 << 30, disk_bytes=10 << 30)

    def pod(self, name: str = "web", **about: Any) -> Object:
        return self.api.put("pods", pod(name, **about))

    def status(self, name: str = "web") -> Object:
        found = self.api.get("pods", name)
        return (found or {}).get("status") or {}

    def phase(self, name: str = "web") -> str:
        return str(self.status(name).get("phase", ""))

    def is_ready(self, name: str = "web") -> bool:
        return conditions.is_true(self.api.get("pods", name) or {"status": {}}, "Ready")

    def container(self, index: int = 0, name: str = "web") -> Object:
        found: Object = self.status(name)["containerStatuses"][index]
        return found

    async def until(self, is_so: Callable[[], Any], seconds: float = 600.0) -> None:
        """Wait in small steps of virtual time."""
        end = self.clock.monotonic() + seconds
        while not is_so():
            assert self.clock.monotonic() < end, f"not within {seconds} s: {self.status()}"
            await self.clock.sleep(0.05)

    async def until_running(self, name: str = "web") -> None:
        await self.until(lambda: self.phase(name) == "Running" and self.is_ready(name))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Kubelet]:
        """A kubelet process: start, and kill at the end."""
        async with Tasks("kubelet process") as tasks:
            client = Client(InProcessTransport(self.api.handle), clock=self.clock)
            caches = Caches(client, self.clock)
            pods = PodsByNode(caches.of(kinds.POD))
            self.kubelet = Kubelet(
                NODE,
                client,
                pods,
                self.runtime,
                self.clock,
                self.events,
                self.options,
                services=caches.of(kinds.SERVICE),
                machine=self.machine,
            )
            tasks.start("caches", caches.run())
            tasks.start("kubelet", self.kubelet.run())
            try:
                yield self.kubelet
            finally:
                for worker in self.kubelet.workers.values():
                    worker.machine.check_invariants()


def make(clock: Clock, folder: Path, **options: Any) -> World:
    resolv = folder / "resolv.conf"
    resolv.write_text("nameserver 192.0.2.53\nsearch example.org\n")
    all_options = Options(
        **{
            "data_dir": folder,
            "address": "172.30.0.2",
            "resolv_conf": resolv,
            "on_paper": True,
            **options,
        }
    )
    return World(clock, paper_api.PaperApi(clock), FakeRuntime(clock), Events(), all_options)


def pod(
    name: str = "web",
    *,
    containers: list[Object] | None = None,
    inits: list[Object] | None = None,
    annotations: dict[str, str] | None = None,
    **spec: Any,
) -> Object:
    """Without containers it has one, which mounts all volumes."""
    mounts = [{"name": one["name"], "mountPath": f"/{one['name']}"} for one in spec.get("volumes") or ()]
    about: dict[str, Any] = {"volumeMounts": mounts} if mounts else {}
    whole: Object = {
        "containers": containers or [container(**about)],
        "nodeName": NODE,
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        **spec,
    }
    if inits:
        whole["initContainers"] = inits
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations or {}, "generation": 1},
        "spec": whole,
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    }


def container(name: str = "main", **about: Any) -> Object:
    return {"name": name, "image": "localhost/hello:1", "imagePullPolicy": "IfNotPresent", **about}


def sidecar(name: str = "side", **about: Any) -> Object:
    return container(name, restartPolicy="Always", **about)


async def turns(count: int = 50) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
