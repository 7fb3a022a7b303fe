"""One node on paper: a kubelet with the fake runtime."""

import dataclasses
import pathlib
from collections.abc import Mapping

from steersman.aio import tasks
from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.client.events import Recorder
from steersman.containers import fake_behaviour
from steersman.containers.fake import FakeRuntime
from steersman.containers.fake_content import Content
from steersman.kubelet import local_paths, node_object, options
from steersman.kubelet.agent import Kubelet
from steersman.kubelet.local_paths import LocalPaths
from steersman.kubelet.pods_by_node import PodsByNode
from steersman.kubelet.server import KubeletServer

# The same on every machine, so that a test does not depend on where it runs.
CAPACITY: Mapping[str, str] = {"cpu": "8", "memory": "16Gi", "ephemeral-storage": "100Gi", "pods": "110"}


@dataclasses.dataclass(frozen=True, slots=True)
class FakeNode:
    """What a fake node is like; `script` says what its containers do (default: what pods' annotations say).

    It is missed after four heartbeats."""

    name: str
    capacity: Mapping[str, str] = dataclasses.field(default_factory=lambda: dict(CAPACITY))
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    script: fake_behaviour.Script = fake_behaviour.from_annotations
    heartbeat_seconds: float = 10.0


class RunningNode:
    """The node at work: `run` until cancelled; `handle` is its kubelet's HTTP API.

    It has its own mirror of its own pods, as on a machine of its own: what befalls its connection befalls no other part.
    """

    def __init__(
        self,
        node: FakeNode,
        number: int,
        caches: Caches,
        clock: Clock,
        folder: pathlib.Path,
        content: Content | None = None,
        version: str = "",
    ) -> None:
        """Its pods get addresses out of 10.244.NUMBER.0/24. `content` is what ran on it before."""
        client = caches.client
        self.name = node.name
        cidr = f"10.244.{number}.0/24"
        self.runtime = FakeRuntime(clock, script=node.script, pod_cidr=cidr, content=content)
        self.runtime.move_logs(folder / node.name / "logs" / "pods")
        self._caches = caches
        pods = PodsByNode(self._caches.of(kinds.POD, field_selector=f"spec.nodeName={node.name}"))
        self._recorder = Recorder(client, clock, "kubelet", node.name)
        known = options.Options(
            data_dir=folder / node.name,
            address=f"172.30.0.{number + 2}",
            hostname=node.name,
            labels=node.labels,
            capacity=node.capacity,
            pods_max=int(node.capacity["pods"]),
            pod_cidr=cidr,
            on_paper=True,
            lease_renew_seconds=node.heartbeat_seconds,
            lease_duration_seconds=max(1, round(4 * node.heartbeat_seconds)),
        )
        if version:
            known = dataclasses.replace(known, kubelet_version=version)
        machine = node_object.Machine()
        self._kubelet = Kubelet(node.name, client, pods, self.runtime, clock, self._recorder, known, machine=machine)
        itself = local_paths.cache_of(self._caches, node.name)
        self._local_paths = LocalPaths(lambda _: client, itself, clock, {node.name: None})
        self.handle = KubeletServer([self._kubelet], clock).handle

    async def run(self) -> None:
        await self.runtime.start()
        try:
            async with tasks.Tasks(f"fake node {self.name}") as running:
                running.start("events", self._recorder.run())
                running.start("kubelet", self._kubelet.run())
                running.start("local paths", self._local_paths.run())
                running.start("caches", self._caches.run())
                await running.wait()
        finally:
            await self.runtime.close()
