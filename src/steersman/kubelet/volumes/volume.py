"""What every type of volume gets and gives."""

import dataclasses
import datetime
from pathlib import Path
from typing import Protocol

from steersman.kubelet.options import Options
from steersman.kubelet.references import References
from steersman.meta import objects
from steersman.meta.objects import Object


class Csi(Protocol):
    """Volumes that a driver mounts (`kubelet.csi.volumes`)."""

    async def set_up(self, volume: Object, context: "Context", *, read_only: bool) -> Path: ...

    async def grow(self, claim: Object, volume: Object, context: "Context") -> None: ...

    async def refresh(self, claim: Object, volume: Object, context: "Context", *, read_only: bool) -> None: ...

    async def set_up_inline(self, name: str, source: Object, context: "Context") -> Path: ...


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
