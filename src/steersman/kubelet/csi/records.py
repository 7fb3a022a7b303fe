"""What of CSI volumes is on this node, in files beside them: a later kubelet knows what to undo. Layout as upstream's."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from steersman.csi import naming

FILE = "vol_data.json"
PLUGIN = "kubernetes.io~csi"


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """`folder` is the volume's in its pod's folder. `ephemeral`: the driver makes it for the pod (CSI inline volumes);
    `attached`: it had to be attached to this node."""

    folder: Path
    driver: str
    handle: str
    name: str
    ephemeral: bool = False
    attached: bool = False

    @property
    def target(self) -> Path:
        return self.folder / "mount"

    @property
    def unique_name(self) -> str:
        return naming.in_use(self.driver, self.handle)

    def write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        said = {
            "driverName": self.driver,
            "volumeHandle": self.handle,
            "specVolID": self.name,
            "volumeLifecycleMode": "Ephemeral" if self.ephemeral else "Persistent",
            "attachRequired": self.attached,
        }
        new = self.folder / f"{FILE}.new"
        new.write_text(json.dumps(said))
        new.replace(self.folder / FILE)


def staging_folder(root: Path, driver: str, handle: str) -> Path:
    name = hashlib.sha256(handle.encode()).hexdigest()
    return root / "plugins" / "kubernetes.io" / "csi" / driver / name


def of_pod(pod_folder: Path) -> list[Record]:
    return [_read(path) for path in sorted((pod_folder / "volumes" / PLUGIN).glob(f"*/{FILE}"))]


def of_node(pods_dir: Path) -> Iterator[Record]:
    for path in pods_dir.glob(f"*/volumes/{PLUGIN}/*/{FILE}"):
        yield _read(path)


def _read(path: Path) -> Record:
    said = json.loads(path.read_text())
    return Record(
        path.parent,
        said["driverName"],
        said["volumeHandle"],
        said.get("specVolID", ""),
        said.get("volumeLifecycleMode") == "Ephemeral",
        bool(said.get("attachRequired")),
    )
