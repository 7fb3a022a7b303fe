"""Which users outside a pod with its own user namespace are its users inside (`hostUsers: false`).

Keeps true: no two pods of the node share an id. Reads and writes: `userns` in the pods' folders, so that a later kubelet knows
what is given away. Source: KEP-127.
"""

import json
from pathlib import Path

from steersman.containers import runtime
from steersman.kubelet.options import Options
from steersman.meta import objects
from steersman.meta.objects import Object

LENGTH = 65536  # what KEP-127 gives each pod
FIRST = LENGTH  # those below are the host's own
COUNT_MOST = (1 << 32) // LENGTH - 1
FILE = "userns"


class NoneLeft(Exception):
    """Every range is given away."""


def is_wanted(pod: Object) -> bool:
    return pod["spec"].get("hostUsers") is False


class UserNamespaces:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._given: dict[str, int] | None = None

    def range_of(self, pod: Object) -> runtime.IdRange | None:
        """The pod's, for as long as it has files here; None: it has the host's users. Raises NoneLeft."""
        if not is_wanted(pod):
            return None
        given, uid = self._known(), objects.uid(pod)
        if uid not in given:
            taken = set(given.values())
            first = next((n * LENGTH for n in range(FIRST // LENGTH, COUNT_MOST) if n * LENGTH not in taken), None)
            if first is None:
                raise NoneLeft("could not find an empty slot to allocate a user namespace")
            given[uid] = first
            self._write(uid, first)
        return runtime.IdRange(given[uid], LENGTH)

    def release(self, uid: str) -> None:
        """The pod's files are gone."""
        self._known().pop(uid, None)

    def _known(self) -> dict[str, int]:
        if self._given is None:
            files = self._options.pods_dir.glob(f"*/{FILE}")
            self._given = {
                file.parent.name: int(json.loads(file.read_text())["uidMappings"][0]["hostId"]) for file in files
            }
        return self._given

    def _write(self, uid: str, first: int) -> None:
        mapping = [{"hostId": first, "containerId": 0, "length": LENGTH}]
        path: Path = self._options.pods_dir / uid / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"uidMappings": mapping, "gidMappings": mapping}))
