"""What every type of volume gets and gives."""

import dataclasses
import datetime
from pathlib import Path

from steersman.kubelet.options import Options
from steersman.kubelet.references import References
from steersman.meta import objects
from steersman.meta.objects import Object


class MountError(Exception):
    """The volume cannot be set up (yet); the text is the user's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """One pod on its node. `refresh` is told when a volume wants to be looked at again sooner than usual."""

    pod: Object
    options: Options
    references: References
    allocatable: dict[str, str]
    now: datetime.datetime

    @property
    def namespace(self) -> str:
        return objects.namespace(self.pod)

    @property
    def fs_group(self) -> int | None:
        found: int | None = (self.pod["spec"].get("securityContext") or {}).get("fsGroup")
        return found

    def folder(self, type_name: str, volume_name: str) -> Path:
        """Where a volume of this type lives, as upstream lays it out."""
        uid = objects.uid(self.pod)
        return self.options.pods_dir / uid / "volumes" / f"kubernetes.io~{type_name}" / volume_name
