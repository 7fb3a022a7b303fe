"""What the workers of one node's pods share."""

import dataclasses
from collections.abc import Mapping
from typing import Protocol

from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks
from steersman.client.cache import Cache
from steersman.client.client import Client
from steersman.containers import runtime as cri
from steersman.kubelet import memory_quality, status
from steersman.kubelet.alarms import Alarms
from steersman.kubelet.device_manager import DeviceManager
from steersman.kubelet.dra.claims import Claims
from steersman.kubelet.exclusive_resources import ExclusiveResources
from steersman.kubelet.images import ImageKeeper
from steersman.kubelet.metrics import Metrics
from steersman.kubelet.options import Options
from steersman.kubelet.prober import Prober
from steersman.kubelet.reference_watches import ReferenceWatches
from steersman.kubelet.references import References
from steersman.kubelet.status_writer import StatusWriter
from steersman.kubelet.turns import Turns
from steersman.kubelet.user_namespaces import UserNamespaces
from steersman.kubelet.volumes.mounting import Volumes
from steersman.meta.objects import Object


class EventRecorder(Protocol):
    """`client.events.Recorder`, or anything that answers like it."""

    def event(
        self,
        obj: Object,
        type: str,  # noqa: A002
        reason: str,
        message: str,
        *,
        field_path: str = "",
        annotations: Mapping[str, str] | None = None,
    ) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True)
class NodeServices:
    client: Client
    clock: Clock
    runtime: cri.Runtime
    options: Options
    tasks: Tasks
    alarms: Alarms
    turns: Turns
    recorder: EventRecorder
    writer: StatusWriter
    metrics: Metrics
    images: ImageKeeper
    volumes: Volumes
    references: References
    watches: ReferenceWatches
    users: UserNamespaces
    exclusive: ExclusiveResources
    devices: DeviceManager
    claims: Claims
    prober: Prober
    services: Cache | None
    shown_as: status.Node
    dns: cri.Dns
    allocatable: dict[str, str]
    memory_capacity_bytes: int
    swap_bytes: int
    memory_quality: memory_quality.Settings

    def tell(
        self,
        pod: Object,
        type_: str,
        reason: str,
        message: str,
        container: str = "",
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        """An Event about the pod, or about one of its containers (involvedObject.fieldPath)."""
        path = ""
        if container:
            fields = ("initContainers", "ephemeralContainers")
            named = (field for field in fields for one in pod["spec"].get(field) or [] if one["name"] == container)
            path = f"spec.{next(named, 'containers')}{{{container}}}"
        reference: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": pod["metadata"]}
        self.recorder.event(reference, type_, reason, message, field_path=path, annotations=annotations)
