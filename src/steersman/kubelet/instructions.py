"""What a pod's machine asks its shell to do. Each is carried out once; its outcome comes back as an event.

Reporting the status is not among them: it is a function of the machine (`status.build`), reported whenever it differs.
"""

import dataclasses

from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class MountVolumes:
    """→ VolumesMounted | VolumesFailed. Idempotent."""


@dataclasses.dataclass(frozen=True, slots=True)
class UnmountVolumes:
    """→ VolumesUnmounted"""


@dataclasses.dataclass(frozen=True, slots=True)
class RunSandbox:
    """→ SandboxReady | SandboxFailed"""

    attempt: int


@dataclasses.dataclass(frozen=True, slots=True)
class StopSandbox:
    """→ SandboxStopped; containers and logs stay readable."""

    id: str


@dataclasses.dataclass(frozen=True, slots=True)
class RemoveSandboxes:
    """Stop and remove every sandbox of the pod, containers included → SandboxRemoved"""


@dataclasses.dataclass(frozen=True, slots=True)
class PullImage:
    """→ ImagePulled | ImageFailed"""

    container: str


@dataclasses.dataclass(frozen=True, slots=True)
class CreateContainer:
    """→ ContainerCreated | ContainerCreateFailed"""

    container: str
    sandbox_id: str
    attempt: int


@dataclasses.dataclass(frozen=True, slots=True)
class StartContainer:
    """→ ContainerStarted | ContainerStartFailed"""

    container: str
    id: str


@dataclasses.dataclass(frozen=True, slots=True)
class RunPostStart:
    """→ PostStartEnded"""

    container: str
    id: str


@dataclasses.dataclass(frozen=True, slots=True)
class RunPreStop:
    """The hook alone: the container is stopped when its turn comes → PreStopEnded, at the latest after `grace_seconds`"""

    container: str
    id: str
    grace_seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class StopContainer:
    """SIGTERM, and SIGKILL when `grace_seconds` are over → ContainerChanged | ContainerGone. When `run_hook`, the preStop hook
    comes first and takes of the same time, of which the container keeps upstream's least.

    May be asked again with less grace.
    """

    container: str
    id: str
    grace_seconds: float
    message: str
    run_hook: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class RemoveContainer:
    """A dead instance that nobody needs any more, with its log. No answer."""

    container: str
    id: str
    attempt: int


@dataclasses.dataclass(frozen=True, slots=True)
class ResizePod:
    """Give running containers (by name) their granted resources, and the pod's group those of `after` instead of
    `before` (pods as the API has them) → PodResized. The group does not shrink yet where `keeps_room`: a container that
    restarts still has its old size."""

    before: Object
    after: Object
    containers: tuple[str, ...]
    keeps_room: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class RecordEvent:
    """A Kubernetes Event; `container` goes into involvedObject.fieldPath."""

    type: str
    reason: str
    message: str
    container: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class DeletePod:
    """Report the last status, then delete the object (grace 0, our uid). The machine's last instruction."""


Instruction = (
    MountVolumes
    | UnmountVolumes
    | RunSandbox
    | StopSandbox
    | RemoveSandboxes
    | PullImage
    | CreateContainer
    | StartContainer
    | RunPostStart
    | RunPreStop
    | StopContainer
    | RemoveContainer
    | ResizePod
    | RecordEvent
    | DeletePod
)
