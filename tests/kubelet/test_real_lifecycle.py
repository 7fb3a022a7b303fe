"""What upstream's node tests ask of the life of containers, on real ones: their order, their logs, their ends."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from steersman.kubelet import pod_files
from steersman.kubelet.volumes import host_path
from steersman.meta import objects
from steersman.meta.objects import Object
from tests.containers import lab
from tests.kubelet import paper_api, world
from tests.kubelet.test_real_faults import SECONDS_MOST, Node, node, pod

__all__ = ["node"]

pytestmark = [pytest.mark.root, pytest.mark.slow]

SERVES = "trap 'echo {0} ends; exit 0' TERM; echo {0} begins; while :; do sleep 0.05; done"
HOOK = "echo {0} hook > /proc/1/fd/1; sleep 0.3"
NEVER: dict[str, Any] = {"restartPolicy": "Never"}


def container(name: str, script: str, **about: Any) -> Object:
    return world.container(name, command=["sh", "-c", script], **about)


def hooked(name: str) -> Object:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", HOOK.format(name)]}}}
    return container(name, SERVES.format(name), restartPolicy="Always", lifecycle=hook)


def said(here: world.World, name: str) -> list[str]:
    """All that a pod's containers wrote, in the order of time."""
    found = here.api.get("pods", name)
    assert found is not None
    lines = [
        line
        for log in pod_files.log_folder(found, here.options).glob("*/*.log")
        for line in log.read_text().splitlines()
    ]
    return [line.split(" ", 3)[3] for line in sorted(lines)]


async def test_sidecars_in_order(node: Node) -> None:
    here = node.world
    here.api.put(
        "pods",
        world.pod(
            "order",
            inits=[
                container("first", "echo first"),
                hooked("side-1"),
                container("second", "echo second"),
                hooked("side-2"),
            ],
            containers=[container("main", "echo main begins; sleep 0.3; echo main ends")],
            **NEVER,
        ),
    )
    await node.until_phase("order", "Succeeded")
    lines = said(here, "order")
    assert lines[:6] == ["first", "side-1 begins", "second", "side-2 begins", "main begins", "main ends"]
    assert sorted(lines[6:8]) == ["side-1 hook", "side-2 hook"], "both before either is told to end"
    assert lines[8:] == ["side-2 ends", "side-1 ends"]
    await node.delete_all()


@pytest.fixture
def folders_of_logs() -> Iterator[None]:
    """The machine is left without those that it did not have."""
    missing = [one for one in (host_path.LOGS / name for name in host_path.FOLDERS_OF_LOGS) if not one.exists()]
    yield
    for one in missing:
        if one.exists():
            one.rmdir()


@pytest.mark.usefixtures("folders_of_logs")
async def test_logs_where_collectors_look(node: Node) -> None:
    """Upstream's `log_path_test.go`, and how collectors mount those folders."""
    here = node.world
    here.api.put("pods", pod("talks", "echo what it said"))
    await node.until_phase("talks", "Succeeded")
    link = f"/var/log/containers/talks_default_main-{_id(here, 'talks')}.log"
    mounts = {
        "the-link": [(link, link)],
        "both-folders": [("/var/log/containers",) * 2, ("/var/log/pods",) * 2],
        "all-logs": [("/var/log",) * 2],
    }
    for name, pairs in mounts.items():
        volumes = [{"name": f"v{n}", "hostPath": {"path": path}} for n, (path, _) in enumerate(pairs)]
        mounted = [{"name": f"v{n}", "mountPath": at, "readOnly": True} for n, (_, at) in enumerate(pairs)]
        here.api.put(
            "pods", pod(name, f"grep -q 'what it said' {link}", about={"volumeMounts": mounted}, volumes=volumes)
        )
    for name in mounts:
        await node.until_phase(name, "Succeeded", "Failed")
        assert (name, here.phase(name)) == (name, "Succeeded")
    await node.delete_all()
    assert not list((here.options.logs / "containers").iterdir())


async def test_ends_as_upstream_tells_them(node: Node) -> None:
    """Upstream's `deleted_pods_test.go` and `pods_lifecycle_termination_test.go`."""
    here = node.world
    obedient = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
    for one in (
        pod("deaf", "exec sleep 1000", restartPolicy="Always"),
        pod("catches", "trap 'echo caught' TERM; while :; do sleep 0.05; done"),
        pod("obedient", obedient, restartPolicy="OnFailure", terminationGracePeriodSeconds=30),
        pod("nowhere", "exit 0", about={"image": "localhost:1/none:1"}),
    ):
        here.api.put("pods", one)
    for name in ("deaf", "catches", "obedient"):
        await here.until(functools.partial(here.is_ready, name), SECONDS_MOST)
    await here.until(lambda: here.status("nowhere").get("containerStatuses"), SECONDS_MOST)
    uids = {name: objects.uid(here.api.get("pods", name) or {}) for name in ("deaf", "catches", "obedient", "nowhere")}
    for name in uids:
        here.api.delete_pod(name)
    await here.until(lambda: not any(kind == "pods" for kind, _, _ in here.api.objects), SECONDS_MOST)
    ends = {name: here.api.statuses(name)[-1] for name in uids}
    found = {name: (one["phase"], *_ended(one)) for name, one in ends.items()}
    assert found == {
        "deaf": ("Failed", 137, "Error"),
        "catches": ("Failed", 137, "Error"),
        "obedient": ("Succeeded", 0, "Completed"),
        "nowhere": ("Failed", 137, "ContainerStatusUnknown"),
    }
    await node.delete_all()


async def test_a_message_that_nobody_expected(node: Node) -> None:
    """A container that cannot be started, one whose hook fails, one that is probed to its end: each with upstream's words."""
    here = node.world
    failing = {"exec": {"command": ["false"]}}
    probe = {**failing, "periodSeconds": 1, "failureThreshold": 1}
    for one in (
        world.pod("no-program", containers=[world.container(command=["/none"])], **NEVER),
        pod("post-start", "exec sleep 1000", about={"lifecycle": {"postStart": failing}}),
        pod("liveness", "exec sleep 1000", about={"livenessProbe": probe}),
    ):
        here.api.put("pods", one)
    for name in ("no-program", "post-start", "liveness"):
        await node.until_phase(name, "Failed")
    assert _ended(here.status("no-program")) == (128, "StartError")
    assert _ended(here.status("post-start")) == (137, "Error")
    assert "Container main failed liveness probe, will be restarted" in here.events.of("Killing")
    assert "FailedPostStartHook" in here.events.of("Killing")
    assert any(re.match(r"Error: .*/none", text) for text in here.events.of("Failed")), here.events.of("Failed")
    await node.delete_all()


async def test_a_killed_kubelet_changes_no_status(
    clean_machine: str, group: str, clock: Any, hello_archive: str
) -> None:
    """Upstream's `container_lifecycle_test.go`, Not Change Container Status: many shapes, one restart of the kubelet."""
    folder = Path(clean_machine) / "kubelet"
    folder.mkdir()
    look = {"exec": {"command": ["true"]}, "periodSeconds": 1}
    shapes: dict[str, Object] = {
        "none": {},
        "startup": {"startupProbe": look},
        "readiness": {"readinessProbe": look},
        "both": {"startupProbe": look, "readinessProbe": look},
    }
    async with lab.oci_lab(clock, clean_machine, group, hello_archive) as oci:
        here = world.make(clock, folder, on_paper=False)
        here.runtime = oci.node
        here.api = paper_api.PaperApi(clock)
        async with here.running():
            await here.until(lambda: here.api.get("leases", world.NODE, "kube-node-lease"), 5)
            for name, probes in shapes.items():
                around = container("around", "exec sleep 1000", restartPolicy="Always", **probes)
                mains = [container(one, "exec sleep 1000", **probes) for one in ("main", "beside")]
                made = world.pod(name, inits=[around], containers=mains, terminationGracePeriodSeconds=1)
                here.api.put("pods", made)
            for name in shapes:
                await here.until(functools.partial(here.is_ready, name), SECONDS_MOST)
        told = {name: len(here.api.statuses(name)) for name in shapes}
        async with here.running() as later:
            await here.until(lambda: len(later.workers) == len(shapes), SECONDS_MOST)
            await clock.sleep(1.5)
            for name in shapes:
                for one in here.api.statuses(name)[told[name] :]:
                    every = [*one["initContainerStatuses"], *one["containerStatuses"]]
                    assert all((c["restartCount"], c["started"], c["ready"]) == (0, True, True) for c in every), name
                here.api.delete_pod(name)
            await here.until(lambda: not any(kind == "pods" for kind, _, _ in here.api.objects), SECONDS_MOST)


def _id(here: world.World, name: str) -> str:
    return str(here.container(name=name)["containerID"]).partition("://")[2]


def _ended(status: Object) -> tuple[int, str]:
    found = status["containerStatuses"][0]["state"]["terminated"]
    return found["exitCode"], found["reason"]
