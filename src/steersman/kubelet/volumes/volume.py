"""What every type of volume gets and gives."""

import dataclasses
import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from steersman.aio.patience import Patience
from steersman.kubelet.options import Options
from steersman.kubelet.references import References
from steersman.meta import objects
from steersman.meta.objects import Object

ANSWER_SECONDS = 10.0  # of a disk or a server under load; afterwards the pod is told, may end, and is tried again

Answer = TypeVar("Answer")


class Csi(Protocol):
    """Volumes that a driver mounts (`kubelet.csi.volumes`)."""

    async def set_up(self, volume: Object, context: "Context", *, read_only: bool) -> Path: ...

    async def grow(self, claim: Object, volume: Object, context: "Context") -> None: ...

    async def refresh(self, claim: Object, volume: Object, context: "Context", *, read_only: bool) -> None: ...

    async def set_up_inline(self, name: str, source: Object, context: "Context") -> Path: ...


class Certificates(Protocol):
    """Of pods (`kubelet.certificates`)."""

    def bundle(self, pod: Object, volume: str, index: int, source: Object) -> tuple[bytes, bytes]: ...

    def forget(self, uid: str) -> None: ...


class MountError(Exception):
    """The volume cannot be set up (yet); the text is the user's."""


class UnavailableError(MountError):
    """It is not the mounting that fails: there is nothing to mount (yet). The text is the whole message."""


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """One pod on its node. `labels` are the node's."""

    pod: Object
    options: Options
    references: References
    allocatable: dict[str, str]
    now: datetime.datetime
    node_name: str = ""
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    csi: Csi | None = None
    patience: Patience = dataclasses.field(default_factory=Patience)
    certificates: Certificates | None = None

    async def ask(self, what: str, work: Callable[[], Answer]) -> Answer:
        """What looks at a file system that is not the kubelet's own, and may stand still. Raises MountError when it does; `what`
        names what is asked."""
        try:
            return await self.patience.wait(what, work, ANSWER_SECONDS)
        except TimeoutError as hung:
            raise MountError("timed out waiting for the condition") from hung

    @property
    def namespace(self) -> str:
        return objects.namespace(self.pod)

    @property
    def fs_group(self) -> int | None:
        found: int | None = (self.pod["spec"].get("securityContext") or {}).get("fsGroup")
        return found

    @property
    def changes_on_mismatch_only(self) -> bool:
        """fsGroupChangePolicy: a volume whose root is right is taken to be right all over."""
        policy = (self.pod["spec"].get("securityContext") or {}).get("fsGroupChangePolicy")
        return policy == "OnRootMismatch"

    def folder(self, type_name: str, volume_name: str) -> Path:
        """Where a volume of this type lives, as upstream lays it out."""
        uid = objects.uid(self.pod)
        return self.options.pods_dir / uid / "volumes" / f"kubernetes.io~{type_name}" / volume_name
