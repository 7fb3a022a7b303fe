"""Control groups by their files: which version, which limits, what is used. On folders that look like the real ones."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.containers.oci import cgroups

HYBRID = """\
23 31 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
PURE = "41 31 0:38 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


def test_hybrid():
    found = cgroups.detect(HYBRID)
    assert (found.version, found.unified) == (1, "/sys/fs/cgroup/unified")
    assert found.mounts["cpu"] == found.mounts["cpuacct"] == "/sys/fs/cgroup/cpu,cpuacct"
    assert found.roots == ("/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/systemd")
    assert found.folder("memory", "/a/b") == "/sys/fs/cgroup/memory/a/b"


def test_pure():
    found = cgroups.detect(PURE)
    assert (found.version, found.unified, found.roots) == (2, "", ("/sys/fs/cgroup",))
    assert found.folder("memory", "a") == "/sys/fs/cgroup/a"


def test_none():
    assert cgroups.detect("22 27 0:21 / /proc rw - proc proc rw\n") == cgroups.NONE


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (0, {}),
        (
            1,
            {
                "cpu.shares": "512",
                "cpu.cfs_period_us": "100000",
                "cpu.cfs_quota_us": "20000",
                "memory.limit_in_bytes": "1024",
                "pids.max": "9",
            },
        ),
        (2, {"cpu.weight": "20", "cpu.max": "20000 100000", "memory.max": "1024", "pids.max": "9"}),
    ],
)
def test_limit_files(version, expected):
    found = cgroups.limit_files(version, cpu_shares=512, cpu_quota_us=20_000, memory_bytes=1024, pids=9)
    assert found == expected


@given(st.integers(0, 1 << 20), st.integers(0, 1 << 20))
def test_weights_are_in_range_and_in_order(one: int, other: int):
    low, high = sorted((one, other))
    assert 1 <= cgroups.weight(low) <= cgroups.weight(high) <= 10_000


class TestVersion2:
    """As the kernel would show it, in a plain folder."""

    @pytest.fixture
    def hierarchy(self, tmp_path: Path) -> cgroups.Hierarchy:
        (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
        return cgroups.Hierarchy(2, {"": str(tmp_path)})

    def test_controllers_are_handed_down(self, hierarchy, tmp_path):
        cgroups.create(hierarchy, "a/b", {"memory.max": "5"})
        assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +memory +pids +io +cpuset"
        assert (tmp_path / "a/b/memory.max").read_text() == "5"

    def test_use(self, hierarchy, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "a/cpu.stat").write_text("usage_usec 7\nuser_usec 3\n")
        (tmp_path / "a/memory.current").write_text("100\n")
        (tmp_path / "a/memory.stat").write_text("anon 1\ninactive_file 30\npgfault 9\n")
        (tmp_path / "a/memory.events").write_text("oom 1\noom_kill 2\n")
        (tmp_path / "a/pids.current").write_text("4\n")
        assert cgroups.usage(hierarchy, "a") == cgroups.Use(7000, 100, 70, rss_bytes=1, page_faults=9, processes=4)
        assert cgroups.oom_kills(hierarchy, "a") == 2

    def test_a_group_that_is_gone(self, hierarchy):
        assert cgroups.usage(hierarchy, "a") == cgroups.Use()
        assert cgroups.processes(hierarchy, "a") == []
        assert cgroups.remove(hierarchy, "a")

    def test_processes_of_the_whole_tree(self, hierarchy, tmp_path):
        (tmp_path / "a/b").mkdir(parents=True)
        (tmp_path / "a/cgroup.procs").write_text("1\n2\n")
        (tmp_path / "a/b/cgroup.procs").write_text("3\n")
        assert sorted(cgroups.processes(hierarchy, "a")) == [1, 2, 3]

    def test_empty_parents_go_up_to_the_root_group(self, hierarchy, tmp_path):
        (tmp_path / "top/node/kubepods/pod1").mkdir(parents=True)
        (tmp_path / "top/node/other").mkdir()
        cgroups.remove(hierarchy, "top/node/kubepods/pod1")
        cgroups.remove_empty_parents(hierarchy, "top/node/kubepods", "top/node")
        assert sorted(p.name for p in (tmp_path / "top").rglob("*")) == ["node", "other"]
        (tmp_path / "top/node/other").rmdir()
        cgroups.remove_empty_parents(hierarchy, "top/node", "top/node")
        assert (tmp_path / "top").exists()
        assert not (tmp_path / "top/node").exists()


def test_processors_and_memory_nodes() -> None:
    for version in (1, 2):
        found = cgroups.limit_files(version, cpus="1-2", memory_nodes="0")
        assert (found["cpuset.cpus"], found["cpuset.mems"]) == ("1-2", "0")
    assert "cpuset.mems" not in cgroups.limit_files(1, cpus="1")
