"""What can happen to a pod on its node, told to its machine (`pod_lifecycle`) in the past tense."""

import dataclasses
from collections.abc import Mapping

from steersman.containers import runtime
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class PodChanged:
    """The API's object is new or changed (deletion asked included); always the same uid."""

    pod: Object


@dataclasses.dataclass(frozen=True, slots=True)
class PodRemoved:
    """The API no longer has the object: forced deletion, or our own final delete seen."""


@dataclasses.dataclass(frozen=True, slots=True)
class PodFailed:
    """The node gives the pod up: eviction, refused admission, no room. `grace_seconds` None: the pod's own; `disrupts`: for
    the node's sake, shown as the condition DisruptionTarget."""

    reason: str
    message: str
    grace_seconds: float | None = None
    disrupts: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class VolumesMounted:
    pass


@dataclasses.dataclass(frozen=True, slots=True)
class VolumesFailed:
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class VolumesUnmounted:
    pass


@dataclasses.dataclass(frozen=True, slots=True)
class SandboxReady:
    id: str
    addresses: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class SandboxFailed:
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class SandboxLost:
    """A sandbox that was ready is no longer."""

    id: str


@dataclasses.dataclass(frozen=True, slots=True)
class SandboxStopped:
    id: str


@dataclasses.dataclass(frozen=True, slots=True)
class SandboxRemoved:
    pass


@dataclasses.dataclass(frozen=True, slots=True)
class ImagePulled:
    """The image is on the node; `image_id` names exactly what a container of it would run, `volumes` (by name) what its image
    volumes hold."""

    container: str
    image_id: str
    volumes: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class ImageFailed:
    container: str
    reason: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerCreated:
    container: str
    id: str


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerCreateFailed:
    container: str
    reason: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerStarted:
    """The runtime started it; `status` as the runtime tells it."""

    container: str
    id: str
    status: runtime.ContainerStatus


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerStartFailed:
    container: str
    id: str
    reason: str
    message: str
    status: runtime.ContainerStatus | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class PostStartEnded:
    """The postStart hook returned; `error` is empty when it did well."""

    container: str
    id: str
    error: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class PreStopEnded:
    """The preStop hook returned, well or not, or has had its time."""

    container: str
    id: str


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerChanged:
    """The runtime was asked and said this."""

    status: runtime.ContainerStatus


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerGone:
    """The runtime no longer knows a container that we believed alive."""

    container: str
    id: str


@dataclasses.dataclass(frozen=True, slots=True)
class ProbeChanged:
    """A probe of container `id` crossed its threshold. `kind`: startup, liveness, readiness."""

    container: str
    id: str
    kind: str
    success: bool
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ResizeDecided:
    """Whether the node has room for other resources than those granted. `reason`: "" (granted), Deferred or Infeasible."""

    reason: str = ""
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class PodResized:
    """The runtime was told the granted resources of these containers (by id); `error` is empty when it did well."""

    containers: tuple[str, ...]
    error: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class TimerFired:
    """`again_at` has come."""


Event = (
    PodChanged
    | PodRemoved
    | PodFailed
    | VolumesMounted
    | VolumesFailed
    | VolumesUnmounted
    | SandboxReady
    | SandboxFailed
    | SandboxLost
    | SandboxStopped
    | SandboxRemoved
    | ImagePulled
    | ImageFailed
    | ContainerCreated
    | ContainerCreateFailed
    | ContainerStarted
    | ContainerStartFailed
    | PostStartEnded
    | PreStopEnded
    | ContainerChanged
    | ContainerGone
    | ProbeChanged
    | ResizeDecided
    | PodResized
    | TimerFired
)
