"""What is kept for whom, and above what whom the kernel slows down: after upstream's MemoryQoS tests."""

from typing import Any

import pytest

from steersman.containers.oci import cgroups, spec
from steersman.containers.runtime import MemoryGuard, Resources
from steersman.kubelet import memory_quality, node_groups
from steersman.kubelet.memory_quality import TIERED, Settings
from steersman.meta.objects import Object
from tests.kubelet import world

MI = 1 << 20
PAGE = memory_quality.PAGE_BYTES
THROTTLED, KEPT = Settings(0.9, allocatable_bytes=1000 * MI), Settings(0.0, TIERED, 1000 * MI)
BOTH = Settings(0.9, TIERED, 1000 * MI)


def container(request: str = "", limit: str = "", **cpu: str) -> Object:
    amounts = {"requests": request, "limits": limit}
    found: dict[str, Any] = {which: {"memory": amount} for which, amount in amounts.items() if amount}
    for which in found:
        found[which] |= cpu
    return world.container(resources=found)


BURSTABLE = container("100Mi", "200Mi")
WITHOUT_LIMIT = container("100Mi")
GUARANTEED = container("100Mi", "100Mi", cpu="1")
ALL_OF_IT = container("100Mi", "100Mi")  # of a burstable pod: there is no word of processors
BEST_EFFORT = container()


def pages(size: float) -> int:
    return int(size // PAGE) * PAGE


@pytest.mark.parametrize(
    ("one", "settings", "expect"),
    [
        (BURSTABLE, Settings(), MemoryGuard()),
        (BURSTABLE, THROTTLED, MemoryGuard(high_bytes=190 * MI)),
        (BURSTABLE, THROTTLED._replace(throttling=0.333), MemoryGuard(high_bytes=pages(133.3 * MI))),
        (BURSTABLE, THROTTLED._replace(throttling=1.0), MemoryGuard(high_bytes=200 * MI)),
        (WITHOUT_LIMIT, THROTTLED, MemoryGuard(high_bytes=910 * MI)),
        (BEST_EFFORT, THROTTLED, MemoryGuard(high_bytes=900 * MI)),
        (GUARANTEED, THROTTLED, MemoryGuard()),
        (ALL_OF_IT, THROTTLED, MemoryGuard()),
        (BURSTABLE, KEPT, MemoryGuard(low_bytes=100 * MI)),
        (ALL_OF_IT, KEPT, MemoryGuard(low_bytes=100 * MI)),
        (GUARANTEED, KEPT, MemoryGuard(min_bytes=100 * MI)),
        (BEST_EFFORT, KEPT, MemoryGuard()),
        (BURSTABLE, BOTH, MemoryGuard(low_bytes=100 * MI, high_bytes=190 * MI)),
    ],
)
def test_containers(one: Object, settings: Settings, expect: MemoryGuard) -> None:
    assert memory_quality.of_container(world.pod(containers=[one]), one, settings) == expect


def test_a_limit_of_a_few_bytes_is_no_reason_to_slow_down() -> None:
    one = container("4096", "4100")
    assert memory_quality.of_container(world.pod(containers=[one]), one, THROTTLED).high_bytes == 0


def test_groups_keep_what_their_pods_were_promised() -> None:
    pods = [
        world.pod(containers=list(some)) for some in ([GUARANTEED, GUARANTEED], [BURSTABLE], [BURSTABLE], [BEST_EFFORT])
    ]
    for one in pods:
        one["metadata"]["uid"] = "u"
    assert memory_quality.of_pod(pods[0], KEPT) == MemoryGuard(min_bytes=200 * MI)
    assert memory_quality.of_pod(pods[1], KEPT) == MemoryGuard(low_bytes=100 * MI)
    found = node_groups.wanted(pods, 2000, 0, quality=KEPT)
    assert {path: group.memory_guard for path, group in found.items()} == {
        "kubepods": MemoryGuard(200 * MI, 200 * MI),
        "kubepods/burstable": MemoryGuard(0, 200 * MI),
        "kubepods/besteffort": MemoryGuard(),
    }
    nothing = node_groups.wanted(pods, 2000, 0)
    assert nothing["kubepods"].memory_guard == nothing["kubepods/burstable"].memory_guard == MemoryGuard()


def test_what_a_container_begins_with() -> None:
    guarded = Resources(memory_guard=MemoryGuard(low_bytes=5, high_bytes=9), killed_together=True)
    assert spec.resources(guarded, privileged=False, version=2)["unified"] == {
        "memory.low": "5",
        "memory.high": "9",
        "memory.oom.group": "1",
    }
    assert "unified" not in spec.resources(guarded, privileged=False, version=1)
    assert "unified" not in spec.resources(Resources(), privileged=False, version=2)


def test_files_of_a_group(tmp_path: Any) -> None:
    """On a tree of files: what is promised is written, what no longer is, is taken back, where the kernel has the file."""
    (tmp_path / "cgroup.controllers").write_text("memory\n")
    tree = cgroups.Hierarchy(2, {"": str(tmp_path)})
    cgroups.create(tree, "a", cgroups.guard_files(2, MemoryGuard(5, 0, 0)))
    assert {one.name: one.read_text() for one in (tmp_path / "a").iterdir()} == {"memory.min": "5"}
    (tmp_path / "a/memory.high").write_text("7")
    cgroups.update(tree, "a", cgroups.guard_files(2, MemoryGuard(0, 6, 0)))
    assert {one.name: one.read_text() for one in (tmp_path / "a").iterdir()} == {
        "memory.min": "0",
        "memory.low": "6",
        "memory.high": "max",
    }
    assert cgroups.guard_files(2, None) == cgroups.guard_files(1, MemoryGuard(5)) == {}
