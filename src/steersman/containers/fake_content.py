"""All that a fake runtime holds at one moment, as values: to fork it, to write it to a file, to bring it up again."""

import dataclasses
import datetime

from steersman.containers import runtime
from steersman.containers.fake_behaviour import Behaviour


@dataclasses.dataclass(frozen=True, slots=True)
class Container:
    config: runtime.ContainerConfig
    behaviour: Behaviour
    status: runtime.ContainerStatus
    resources: runtime.Resources


@dataclasses.dataclass(frozen=True, slots=True)
class Sandbox:
    id: str
    config: runtime.SandboxConfig
    created_at: datetime.datetime
    addresses: tuple[str, ...]
    ready: bool
    containers: tuple[Container, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Timer:
    """A container that will end in so many seconds, `by_itself` or because it was asked to."""

    seconds: float
    container_id: str
    by_itself: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    sandboxes: tuple[Sandbox, ...] = ()
    timers: tuple[Timer, ...] = ()
    images: tuple[runtime.ImageStatus, ...] = ()
    next_address: int = 2
