"""Which containers are the shim's to make, and what it is told."""

import dataclasses
from typing import Any

import pytest

from steersman.containers import runtime
from steersman.containers.images import users
from steersman.containers.oci import cgroups, host, quick_plan, spec
from steersman.containers.runtime import ContainerConfig, Mount, Resources, Security

MOUNTS = {name: f"/sys/fs/cgroup/{name}" for name in ("cpu", "memory", "devices", "pids", "cpuset")}
FACTS = host.Facts("/usr/bin/crun", cgroups.Hierarchy(1, MOUNTS), False, 0, True, 4096)
NAMESPACES = {"mount": "", "network": "/ns/net", "uts": "/ns/uts", "ipc": "/ns/ipc", "pid": ""}
PLACE = spec.Place("/root", NAMESPACES, "kubepods/pod1/c1", "/shm", "/hostname", "/resolv.conf")
CONFIG = ContainerConfig("web", "hello", command=("sleep", "1"))


def plan(facts: host.Facts = FACTS, place: spec.Place = PLACE, **wanted: Any) -> dict[str, Any] | None:
    config = dataclasses.replace(CONFIG, **wanted)
    made = spec.container(config, spec.ImageConfig(), users.Accounts("", ""), place, facts)
    return quick_plan.plan(made, facts)


def planned(**wanted: Any) -> dict[str, Any]:
    found = plan(**wanted)
    assert found is not None
    return found


def test_an_ordinary_container():
    found = planned()
    assert found["namespaces"] == ["/ns/net", "/ns/uts", "/ns/ipc"]
    assert found["own_processes"]
    assert found["group"] == "kubepods/pod1/c1"
    assert [one["target"] for one in found["mounts"]] == [
        "proc",
        "dev",
        "dev/pts",
        "dev/mqueue",
        "sys",
        "sys/fs/cgroup",
        "dev/shm",
        "etc/hostname",
        "etc/resolv.conf",
    ]
    assert found["process"]["args"] == ["sleep", "1"]
    assert found["process"]["capabilities"] == 0xA80425FB  # Docker's default set


def test_devices_are_refused_before_some_are_allowed():
    rules = planned()["devices"]
    assert [file for file, _ in rules] == ["devices.deny", "devices.allow"]
    assert rules[0][1] == ["a"]
    assert rules[1][1][:3] == ["c *:* m", "b *:* m", "c 1:3 rwm"]
    assert rules[1][1][-1] == "c 136:* rwm"


def test_limits():
    wanted = Resources(cpu_shares=512, cpu_quota_us=20_000, memory_limit_bytes=1 << 20, pids_limit=7)
    assert planned(resources=wanted)["limits"] == {
        "cpu.shares": "512",
        "cpu.cfs_period_us": "100000",
        "cpu.cfs_quota_us": "20000",
        "memory.limit_in_bytes": "1048576",
        "memory.memsw.limit_in_bytes": "1048576",
        "pids.max": "7",
    }


def test_a_read_only_volume():
    mount = planned(mounts=(Mount("/data", "/volumes/1", read_only=True),))["mounts"][-1]
    assert (mount["source"], mount["target"], mount["recursive"], mount["attributes"]) == (
        "/volumes/1",
        "data",
        True,
        1,
    )


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param({"tty": True}, id="a terminal"),
        pytest.param({"security": Security(seccomp="RuntimeDefault")}, id="seccomp"),
        pytest.param({"mounts": (Mount("/a", "/b", propagation="rslave"),)}, id="mounts that come in"),
        pytest.param({"mounts": (Mount("/a", "/b", propagation="rshared"),)}, id="mounts that go out"),
        pytest.param({"mounts": (Mount("/a", "/b", read_only=True, recursive_read_only=True),)}, id="rro"),
        pytest.param({"mounts": (Mount("/proc/x", "/b"),)}, id="below /proc"),
        pytest.param({"mounts": (Mount("/sys", "/b"),)}, id="over /sys"),
        pytest.param({"mounts": (Mount("/dev", "/b"),)}, id="over /dev"),
        pytest.param({"mounts": (Mount("/", "/b"),)}, id="over the root"),
        pytest.param({"mounts": (Mount("/./proc/sys", "/b"),)}, id="below /proc in other words"),
        pytest.param({"devices": (runtime.Device("/dev/null", "/dev/x", "rwm"),)}, id="a device"),
        pytest.param({"security": Security(privileged=True)}, id="privileged, which has all devices"),
    ],
)
def test_what_is_crun_s(wanted: dict[str, Any]):
    assert plan(**wanted) is None


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        pytest.param("pid", "/ns/pid", id="shared processes"),
        pytest.param("user", "/ns/user", id="users of its own"),
        pytest.param("network", "", id="a network that nobody has made"),
    ],
)
def test_namespaces_that_are_crun_s(kind: str, path: str):
    assert plan(place=dataclasses.replace(PLACE, namespaces={**NAMESPACES, kind: path})) is None


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"runtime": "/usr/sbin/runc"}, id="exec is runc's, which knows only its own"),
        pytest.param({"hierarchy": cgroups.Hierarchy(2, {"": "/sys/fs/cgroup"})}, id="version 2"),
        pytest.param({"snapshotter": "fuse-overlayfs"}, id="fuse"),
    ],
)
def test_machines_where_all_are_crun_s(changed: dict[str, Any]):
    assert plan(facts=dataclasses.replace(FACTS, **changed)) is None


def test_the_node_s_processes_and_network():
    place = dataclasses.replace(PLACE, namespaces={"mount": "", "uts": "/ns/uts"})
    found = plan(place=place)
    assert found is not None
    assert (found["namespaces"], found["own_processes"]) == (["/ns/uts"], False)
