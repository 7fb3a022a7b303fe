"""What a node uses, in the Summary API's form."""

import datetime

from steersman.containers import runtime
from steersman.kubelet import storage_limits, summary
from steersman.kubelet.storage_limits import Disk
from tests.kubelet import world

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
SHOWN = "2026-01-01T00:00:00Z"


def use(name: str, uid: str = "u1", **about: int) -> runtime.Usage:
    known = {"cpu_ns": 1000, "memory_bytes": 20, "memory_working_set_bytes": 10}
    return runtime.Usage(f"id-{name}", uid, name, at=NOW, started_at=NOW, **{**known, **about})


def seen(**about: object) -> summary.Seen:
    pod = world.pod()
    pod["metadata"]["uid"] = "u1"
    known: dict[str, object] = {
        "node_name": "node-1",
        "pods": [pod],
        "usage": [use("main", page_faults=3), use("side", processes=2)],
        "sandboxes": [runtime.SandboxUsage("u1", (runtime.InterfaceUsage("eth0", 5, 0, 6, 1),), NOW)],
        "now": NOW,
        "started_at": NOW,
        "memory_capacity_bytes": 100,
        "file_system": summary.FileSystem(1000, 400, 50, 20),
        "images": summary.FileSystem(2000, 300, 50, 20, used_bytes=77),
        "disk": {
            "u1": storage_limits.Usage(
                {"data": Disk(8, 3)}, {"main": Disk(5, 30)}, {"main": Disk(2, 1), "side": Disk(1, 1)}
            )
        },
        "cores": {"id-main": 5, "id-side": 6},
    }
    return summary.Seen(**{**known, **about})  # type: ignore[arg-type]


def test_a_pod() -> None:
    [pod] = summary.stats(seen())["pods"]
    assert pod["podRef"] == {"name": "web", "namespace": "default", "uid": "u1"}
    assert pod["cpu"] == {"time": SHOWN, "usageCoreNanoSeconds": 2000, "usageNanoCores": 11}
    assert (pod["memory"]["workingSetBytes"], pod["memory"]["pageFaults"]) == (20, 3)
    assert pod["process_stats"] == {"process_count": 2}
    assert pod["network"]["interfaces"] == [{"name": "eth0", "rxBytes": 5, "rxErrors": 0, "txBytes": 6, "txErrors": 1}]
    assert [(one["name"], one["usedBytes"]) for one in pod["volume"]] == [("data", 8)]
    assert pod["ephemeral-storage"]["usedBytes"] == 16
    main = pod["containers"][0]
    assert (main["name"], main["startTime"], main["rootfs"]["usedBytes"], main["logs"]["usedBytes"]) == (
        "main",
        SHOWN,
        5,
        2,
    )
    assert main["rootfs"]["inodesUsed"] == 30


def test_the_node() -> None:
    node = summary.stats(seen())["node"]
    assert node["memory"]["availableBytes"] == 80
    assert (node["fs"]["usedBytes"], node["fs"]["availableBytes"], node["runtime"]["imageFs"]["capacityBytes"]) == (
        600,
        400,
        2000,
    )
    assert (node["fs"]["inodesUsed"], node["runtime"]["imageFs"]["usedBytes"]) == (30, 77)
    assert [one["name"] for one in node["systemContainers"]] == ["kubelet", "pods"]


def test_what_nobody_knows_yet_is_left_out() -> None:
    [pod] = summary.stats(seen(cores={"id-main": 5}, disk={}, sandboxes=[]))["pods"]
    assert "usageNanoCores" not in pod["cpu"]
    assert not {"volume", "ephemeral-storage", "network"} & pod.keys()
