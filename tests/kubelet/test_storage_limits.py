"""Which pods have written too much."""

from pathlib import Path

import pytest

from steersman.kubelet import storage_limits
from steersman.kubelet.storage_limits import Usage
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
    "nothing limited": (pod(), Usage({"work": 9 * MI}, {"main": 9 * MI}), ""),
    "within": (pod("2Mi", {"sizeLimit": "2Mi"}), Usage({"work": 2 * MI}, {"main": MI}), ""),
    "volume": (
        pod(volume={"sizeLimit": "1Mi"}),
        Usage({"work": 2 * MI}, {}),
        'Usage of EmptyDir volume "work" exceeds the limit "1Mi". ',
    ),
    "memory is not disk": (pod(volume={"sizeLimit": "1Mi", "medium": "Memory"}), Usage({"work": 2 * MI}, {}), ""),
    "container": (
        pod("1Mi"),
        Usage({}, {"main": 2 * MI}),
        'Container main exceeded its local ephemeral storage limit "1Mi". ',
    ),
    "whole pod": (
        pod("1Mi", second="1Mi"),
        Usage({"work": 2 * MI}, {"main": MI}),
        "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. ",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_decide(case: str) -> None:
    wanted, usage, expect = CASES[case]
    assert storage_limits.decide(wanted, usage) == expect


def test_measure(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x" * MI)
    (tmp_path / "link").symlink_to("/")
    assert MI <= storage_limits.measure([tmp_path]) < MI + 64 * 1024
    assert storage_limits.measure([tmp_path / "gone"]) == 0
