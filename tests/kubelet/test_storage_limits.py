"""Which pods have written too much."""

from pathlib import Path

import pytest

from steersman.kubelet import storage_limits
from steersman.kubelet.storage_limits import Disk, Excess, Usage
from steersman.meta.objects import Object
from tests.kubelet import world
from tests.kubelet.world import container

MI = 1 << 20


def pod(limit: str = "", volume: Object | None = None, second: str = "") -> Object:
    def one(name: str, limit: str) -> Object:
        return container(name, resources={"limits": {"ephemeral-storage": limit}}) if limit else container(name)

    return world.pod(
        containers=[one("main", limit), one("second", second)], volumes=[{"name": "work", "emptyDir": volume or {}}]
    )


CASES = {
    "nothing limited": (pod(), Usage({"work": Disk(9 * MI)}, {"main": Disk(9 * MI)}), None),
    "within": (pod("3Mi", {"sizeLimit": "2Mi"}), Usage({"work": Disk(2 * MI)}, {"main": Disk(MI)}), None),
    "volume": (
        pod(volume={"sizeLimit": "1024Ki"}),
        Usage({"work": Disk(2 * MI)}, {}),
        Excess("emptydirfs.limit", 'Usage of EmptyDir volume "work" exceeds the limit "1Mi". '),
    ),
    "memory is not disk": (
        pod(volume={"sizeLimit": "1Mi", "medium": "Memory"}),
        Usage({"work": Disk(2 * MI)}, {}),
        None,
    ),
    "container": (
        pod("1Mi", second="9Mi"),
        Usage({}, {"main": Disk(MI)}, {"main": Disk(MI)}),
        Excess("ephemeralcontainerfs.limit", 'Container main exceeded its local ephemeral storage limit "1Mi". '),
    ),
    "whole pod": (
        pod("1Mi", second="1Mi"),
        Usage({"work": Disk(2 * MI)}, {"main": Disk(MI)}),
        Excess("ephemeralpodfs.limit", "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. "),
    ),
    "whole pod, where only some containers have a limit": (
        pod("1Mi"),
        Usage({}, {"second": Disk(2 * MI)}),
        Excess("ephemeralpodfs.limit", "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_decide(case: str) -> None:
    wanted, usage, expect = CASES[case]
    assert storage_limits.decide(wanted, usage) == expect


def test_measure(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x" * MI)
    (tmp_path / "a" / "same").hardlink_to(tmp_path / "a" / "file")
    (tmp_path / "link").symlink_to("/")
    found = storage_limits.measure([tmp_path])
    assert MI <= found.bytes < MI + 64 * 1024
    assert found.inodes == 4
    assert storage_limits.measure([tmp_path / "gone"]) == Disk()
