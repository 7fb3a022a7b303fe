"""What a node uses, in the Summary API's form."""

import datetime

from steersman.containers import runtime
from steersman.kubelet import storage_limits, summary
from steersman.kubelet.container_figures import Pressure, Stall
from steersman.kubelet.machine_figures import Machine, Use
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


def test_what_is_left_where_there_is_a_limit() -> None:
    limited = {"resources": {"limits": {"memory": "100"}}}
    pod = world.pod(containers=[world.container("main", **limited), world.container("side")])
    pod["metadata"]["uid"] = "u1"
    [shown] = summary.stats(seen(pods=[pod]))["pods"]
    left = {one["name"]: one["memory"].get("availableBytes") for one in shown["containers"]}
    assert left == {"main": 90, "side": None}
    assert "availableBytes" not in shown["memory"], "one container has no limit"
    pod["spec"]["containers"][1].update(limited)
    [shown] = summary.stats(seen(pods=[pod]))["pods"]
    assert shown["memory"]["availableBytes"] == 180


def test_pressure_and_claims() -> None:
    pod = world.pod(volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "mine"}}])
    pod["metadata"]["uid"] = "u1"
    stalled = {name: Pressure(Stall(7, 0.5), Stall(1)) for name in ("cpu", "memory", "io")}
    [shown] = summary.stats(seen(pods=[pod], pressure={"u1": stalled, "id-main": stalled}))["pods"]
    assert shown["volume"][0]["pvcRef"] == {"name": "mine", "namespace": "default"}
    wish = {
        "full": {"total": 1, "avg10": 0.0, "avg60": 0.0, "avg300": 0.0},
        "some": {"total": 7, "avg10": 0.5, "avg60": 0.0, "avg300": 0.0},
    }
    assert [shown[name]["psi"] for name in ("cpu", "memory", "io")] == [wish] * 3
    assert shown["io"]["time"] == SHOWN
    main, side = shown["containers"]
    assert main["memory"]["psi"] == wish
    assert "psi" not in side["cpu"]


def test_a_node_is_its_whole_machine() -> None:
    machine = Machine(
        Use(5, 90, 60, swap_available_bytes=3),
        0.0,
        (runtime.InterfaceUsage("lan", 5), runtime.InterfaceUsage("eth0", 6)),
    )
    node = summary.stats(seen(machine=machine, runtime=Use(1, 2), of_pods_bytes=70, cores={"node": 4}))["node"]
    assert (node["startTime"], node["cpu"]["usageNanoCores"]) == ("1970-01-01T00:00:00Z", 4)
    assert (node["memory"]["usageBytes"], node["memory"]["availableBytes"]) == (90, 40)
    assert node["swap"]["swapAvailableBytes"] == 3
    assert (node["network"]["rxBytes"], len(node["network"]["interfaces"])) == (6, 2)
    system = {one["name"]: one["memory"].get("availableBytes") for one in node["systemContainers"]}
    assert system == {"kubelet": None, "runtime": None, "pods": 50}


def test_what_nobody_knows_yet_is_left_out() -> None:
    [pod] = summary.stats(seen(cores={"id-main": 5}, disk={}, sandboxes=[]))["pods"]
    assert "usageNanoCores" not in pod["cpu"]
    assert not {"volume", "ephemeral-storage", "network"} & pod.keys()
