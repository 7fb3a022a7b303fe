"""What is reserved is held to by control groups."""

from pathlib import Path
from typing import Any

import pytest

from steersman.containers.oci import cgroups
from steersman.containers.oci.cgroups import Hierarchy
from steersman.kubelet import configuration_file, node_allocatable, node_groups
from steersman.kubelet.eviction.thresholds import Malformed
from steersman.kubelet.node_allocatable import NotEnforced, Reserve
from steersman.kubelet.options import Options
from tests.kubelet import world
from tests.kubelet.test_configuration import HEAD, options

KUBE = {"cpu": "100m", "memory": "100Mi", "pid": "738"}
SYSTEM = {"cpu": "200m", "memory": "200Mi", "pid": "1000"}
BOTH = {
    "kubeReserved": KUBE,
    "systemReserved": SYSTEM,
    "kubeReservedCgroup": "/kube",
    "systemReservedCgroup": "/system",
}


@pytest.mark.parametrize(
    ("enforced", "wish"),
    [
        (["pods"], []),
        (["none"], []),
        (
            ["pods", "kube-reserved", "system-reserved"],
            [Reserve("System", "/system", 200, 200 << 20, 1000), Reserve("Kube", "/kube", 100, 100 << 20, 738)],
        ),
        (["system-reserved-compressible"], [Reserve("System", "/system", 200)]),
    ],
)
def test_who_is_held(enforced: list[str], wish: list[Reserve]) -> None:
    assert node_allocatable.wanted(options(**BOTH, enforceNodeAllocatable=enforced)) == wish


@pytest.mark.parametrize(
    ("found", "wish"),
    [
        ({"enforceNodeAllocatable": ["everything"]}, 'option "everything" is none of pods'),
        ({"enforceNodeAllocatable": ["kube-reserved"]}, 'kubeReservedCgroup must be specified when "kube-reserved"'),
        ({**BOTH, "enforceNodeAllocatable": ["pods", "none"]}, "may not contain additional enforcements"),
        (
            {**BOTH, "enforceNodeAllocatable": ["kube-reserved", "kube-reserved-compressible"]},
            "cannot be specified in enforceNodeAllocatable",
        ),
        ({**BOTH, "reservedSystemCPUs": "0"}, "can't use reservedSystemCPUs with systemReservedCgroup"),
    ],
)
def test_what_cannot_be_meant(found: dict[str, Any], wish: str) -> None:
    with pytest.raises(Malformed, match=wish):
        configuration_file.with_configuration(Options(Path()), {**HEAD, **found})


def test_all_pods_together() -> None:
    held = options(**BOTH)
    assert node_allocatable.pids_of_pods(held, 32768) == 32768 - 1738
    assert node_allocatable.pids_of_pods(Options(Path()), 32768) == 0
    groups = node_groups.wanted([], 1700, 5 << 20, 31030)
    assert groups["kubepods"] == node_groups.Group(1740, 5 << 20, 31030)


@pytest.mark.parametrize(
    ("version", "wish"),
    [
        (
            1,
            {
                "cpu/kube/cpu.shares": "102",
                "memory/kube/memory.limit_in_bytes": "104857600",
                "pids/kube/pids.max": "738",
            },
        ),
        (2, {"kube/cpu.weight": "4", "kube/memory.max": "104857600", "kube/pids.max": "738"}),
    ],
)
def test_a_group_that_is_there_is_held(tmp_path: Path, version: int, wish: dict[str, str]) -> None:
    controllers = ("cpu", "memory", "pids") if version == 1 else ("",)
    hierarchy = Hierarchy(version, {one: str(tmp_path / one) for one in controllers})
    one = Reserve("Kube", "/kube", 100, 100 << 20, 738)
    for name in controllers:
        (tmp_path / name).mkdir(exist_ok=True)
    with pytest.raises(FileNotFoundError, match=r'\["kube"\] cgroup does not exist'):
        node_allocatable.hold(hierarchy, one)
    for name in controllers:
        (tmp_path / name / "kube").mkdir()
    node_allocatable.hold(hierarchy, one)
    written = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == wish


def test_a_group_that_is_not_there_stops_the_kubelet() -> None:
    events = world.Events()
    wish = (
        'Failed to enforce Kube Reserved Cgroup Limits on "/nobody/has/this": ["nobody/has/this"] cgroup does not exist'
    )
    held = options(**{**BOTH, "kubeReservedCgroup": "/nobody/has/this"}, enforceNodeAllocatable=["kube-reserved"])
    with pytest.raises(NotEnforced) as refused:
        node_allocatable.enforce(held, {}, events)
    assert str(refused.value) == wish
    assert events.said == [("Warning", "FailedNodeAllocatableEnforcement", wish)]


def test_what_is_held_is_told() -> None:
    events = world.Events()
    node_allocatable.enforce(Options(Path()), {}, events)
    assert events.of("NodeAllocatableEnforced") == ["Updated Node Allocatable limit across pods"]


@pytest.mark.root
@pytest.mark.slow
def test_by_the_kernel(group: str) -> None:
    hierarchy = cgroups.detect(Path("/proc/self/mountinfo").read_text())
    path = f"{group}/kube-reserved"
    cgroups.create(hierarchy, path, cgroups.limit_files(hierarchy.version, cpu_shares=2, memory_bytes=1 << 30, pids=9))
    try:
        node_allocatable.hold(hierarchy, Reserve("Kube", f"/{path}", 100, 100 << 20, 738))
        folder = Path(hierarchy.folder("pids", path))
        assert (folder / "pids.max").read_text() == "738\n"
        name = "memory.limit_in_bytes" if hierarchy.version == 1 else "memory.max"
        assert int(Path(hierarchy.folder("memory", path), name).read_text()) == 100 << 20
    finally:
        cgroups.remove(hierarchy, group)
