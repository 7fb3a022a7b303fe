"""Pods from a folder, and their mirrors."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from steersman.aio.clock import VirtualClock
from steersman.containers.fake_behaviour import Behaviour, ExecAnswer
from steersman.kubelet import folder_watch, pod_counts, static_pods
from steersman.meta import objects
from steersman.meta.objects import Object
from tests.aio import virtual
from tests.kubelet import world

NAME = f"web-{world.NODE}"
MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 5
  containers: [{name: main, image: "localhost/hello:1", imagePullPolicy: IfNotPresent}]
"""
SLOW_END = "annotations: {fake.steersman.dev/stop-seconds: '4'}, labels:"


def run(test: Any, folder: Path) -> None:
    async def body(clock: VirtualClock) -> None:
        (folder / "manifests").mkdir()
        here = world.make(clock, folder, static_pods=folder / "manifests")
        async with here.running():
            await test(here, folder / "manifests")

    virtual.run(body)


def mirror(here: world.World) -> Object:
    found = here.api.get("pods", NAME)
    assert found is not None
    return found


def test_what_a_file_becomes() -> None:
    pod = static_pods.read(MANIFEST, "/manifests/web.yaml", "node-1", "2026-01-01T00:00:00Z")
    uid = objects.uid(pod)
    assert (objects.name(pod), objects.namespace(pod), pod["spec"]["nodeName"]) == ("web-node-1", "default", "node-1")
    assert objects.annotations(pod) == {
        "kubernetes.io/config.source": "file",
        "kubernetes.io/config.hash": uid,
        "kubernetes.io/config.seen": "2026-01-01T00:00:00Z",
    }
    assert pod["spec"]["tolerations"] == [{"operator": "Exists", "effect": "NoExecute"}]
    assert pod["spec"]["restartPolicy"] == "Always", "defaults are filled in"
    again = static_pods.read(MANIFEST + "# changed", "/manifests/web.yaml", "node-1", "2026-01-01T00:00:00Z")
    assert objects.uid(again) != uid
    shown = static_pods.mirror_of(pod, {"metadata": {"name": "node-1", "uid": "n1"}})
    assert objects.annotations(shown)["kubernetes.io/config.mirror"] == uid
    assert [(one["kind"], one["uid"], one["controller"]) for one in shown["metadata"]["ownerReferences"]] == [
        ("Node", "n1", True)
    ]
    assert (static_pods.is_static(pod), static_pods.is_mirror(pod)) == (True, False)
    assert (static_pods.is_static(shown), static_pods.is_mirror(shown)) == (False, True)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a: [", "kind: Pod", MANIFEST.replace("kind: Pod", "kind: Job"), MANIFEST.replace("name: web,", "")),
        f"{MANIFEST}  serviceAccountName: default\n",
    ],
)
def test_what_is_no_pod(text: str) -> None:
    with pytest.raises(static_pods.Invalid):
        static_pods.read(text, "/manifests/web.yaml", "node-1", "")


def test_a_file_runs_and_shows_in_the_api_and_ends_with_the_file(tmp_path: Path) -> None:
    async def test(here: world.World, folder: Path) -> None:
        (folder / "web.yaml").write_text(MANIFEST)
        (folder / ".web.yaml.swp").write_text(MANIFEST)
        await here.until_running(NAME)
        assert len(here.runtime.sandboxes()) == 1
        (folder / "web.yaml").unlink()
        await here.until(lambda: here.api.get("pods", NAME) is None, 20)
        assert not here.runtime.sandboxes()

    run(test, tmp_path)


def test_a_deleted_mirror_comes_back_and_the_pod_does_not_notice(tmp_path: Path) -> None:
    async def test(here: world.World, folder: Path) -> None:
        (folder / "web.yaml").write_text(MANIFEST)
        await here.until_running(NAME)
        before, sandbox = objects.uid(mirror(here)), here.runtime.sandboxes()[0].id
        here.api.remove("pods", NAME)
        await here.until(lambda: here.api.get("pods", NAME) and here.phase(NAME) == "Running", 10)
        assert objects.uid(mirror(here)) != before
        here.api.delete_pod(NAME)
        before = objects.uid(mirror(here))
        await here.until(lambda: here.api.get("pods", NAME) and objects.uid(mirror(here)) != before, 10)
        await here.until_running(NAME)
        assert [one.id for one in here.runtime.sandboxes()] == [sandbox]

    run(test, tmp_path)


def test_a_changed_file_is_another_pod_once_the_first_has_ended(tmp_path: Path) -> None:
    async def test(here: world.World, folder: Path) -> None:
        (folder / "web.yaml").write_text(MANIFEST)
        await here.until_running(NAME)
        before = here.runtime.sandboxes()[0].pod_uid
        (folder / "web.yaml").write_text(MANIFEST.replace("app: web", "app: other"))
        await here.until(lambda: here.api.get("pods", NAME) and objects.labels(mirror(here)) == {"app": "other"}, 20)
        await here.until_running(NAME)
        assert before not in {one.pod_uid for one in here.runtime.sandboxes()}

    run(test, tmp_path)


def test_a_later_kubelet_goes_on_with_it(tmp_path: Path) -> None:
    async def body(clock: VirtualClock) -> None:
        (tmp_path / "manifests").mkdir()
        (tmp_path / "manifests" / "web.yaml").write_text(MANIFEST)
        here = world.make(clock, tmp_path, static_pods=tmp_path / "manifests")
        async with here.running():
            await here.until_running(NAME)
        sandboxes, uid = here.runtime.sandboxes(), objects.uid(mirror(here))
        async with here.running():
            await clock.sleep(3)
            await here.until_running(NAME)
        assert here.runtime.sandboxes() == sandboxes
        assert objects.uid(mirror(here)) == uid

    virtual.run(body)


def test_a_file_that_went_and_is_back_restarts_its_pod(tmp_path: Path) -> None:
    """Upstream's `mirror_pod_test.go`: the same file is the same pod, so its restarts are counted."""

    async def test(here: world.World, folder: Path) -> None:
        (folder / "web.yaml").write_text(MANIFEST)
        await here.until_running(NAME)
        (folder / "web.yaml").unlink()
        (folder / "web.yaml").write_text(MANIFEST)
        await here.until(lambda: here.api.get("pods", NAME) and here.container(name=NAME)["restartCount"] == 1, 10)
        await here.until_running(NAME)
        assert (here.container(name=NAME)["restartCount"], len(here.runtime.sandboxes())) == (1, 1)
        (folder / "web.yaml").unlink()
        await here.until(lambda: here.api.get("pods", NAME) is None, 20)
        (folder / "web.yaml").write_text(MANIFEST)
        await here.until_running(NAME)
        assert here.container(name=NAME)["restartCount"] == 0, "it was gone for good"

    run(test, tmp_path)


def test_a_new_file_is_seen_at_once(tmp_path: Path) -> None:
    async def test(here: world.World, folder: Path) -> None:
        (folder / "other").write_text(MANIFEST)
        await here.until(lambda: here.runtime.sandboxes(), 0.5)
        (folder / "other").rename(folder / ".hidden")
        await here.until(lambda: not here.runtime.sandboxes(), 0.5)

    run(test, tmp_path)


def test_a_mirror_stays_until_its_pod_has_ended(tmp_path: Path) -> None:
    """Upstream's `mirror_pod_grace_period_test.go`: changed many times meanwhile, the last one runs."""

    async def test(here: world.World, folder: Path) -> None:
        (folder / "web.yaml").write_text(MANIFEST.replace("labels:", SLOW_END))
        await here.until_running(NAME)
        before = objects.uid(mirror(here))
        for number in range(30):
            (folder / "web.yaml").write_text(MANIFEST.replace("app: web", f"app: web-{number}"))
            await here.clock.sleep(0.1)
            assert (objects.uid(mirror(here)), here.phase(NAME)) == (before, "Running")
        await here.until(lambda: objects.labels(here.api.get("pods", NAME) or {"metadata": {}}) == {"app": "web-29"}, 5)
        await here.until_running(NAME)
        assert "observedGeneration" not in here.status(NAME)

    run(test, tmp_path)


def test_a_later_kubelet_leaves_a_mirror_ready(tmp_path: Path) -> None:
    probe = "{exec: {command: [look]}, periodSeconds: 1, timeoutSeconds: 60}"
    text = MANIFEST.replace("[{name: main,", f"[{{name: main, startupProbe: {probe}, readinessProbe: {probe},")

    async def body(clock: VirtualClock) -> None:
        (tmp_path / "manifests").mkdir()
        (tmp_path / "manifests" / "web.yaml").write_text(text)
        here = world.make(clock, tmp_path, static_pods=tmp_path / "manifests")
        async with here.running():
            await here.until_running(NAME)
        for one in await here.runtime.list_containers():
            here.runtime.set_behaviour(one.id, Behaviour(exec={"look": ExecAnswer(seconds=30)}))
        told = len(here.api.statuses(NAME))
        async with here.running():
            await clock.sleep(20)
            assert [one["containerStatuses"][0]["ready"] for one in here.api.statuses(NAME)[told:]] in ([], [True])
            assert here.is_ready(NAME)

    virtual.run(body)


def test_a_file_that_went_while_no_kubelet_looked(tmp_path: Path) -> None:
    """Upstream's `unknown_pods_test.go`."""

    async def body(clock: VirtualClock) -> None:
        (tmp_path / "manifests").mkdir()
        file = tmp_path / "manifests" / "web.yaml"
        file.write_text(MANIFEST)
        here = world.make(clock, tmp_path, static_pods=tmp_path / "manifests")
        async with here.running():
            await here.until_running(NAME)
        file.unlink()
        async with here.running():
            await here.until(lambda: here.api.get("pods", NAME) is None and not here.runtime.sandboxes(), 20)

    virtual.run(body)


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await anext(folder_watch.changes(tmp_path / "none"))
    (tmp_path / "some").mkdir()
    async with contextlib.aclosing(folder_watch.changes(tmp_path / "some")) as changes:
        first = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        (tmp_path / "some" / "file").write_text("x")
        assert await first == ("file", False)
        (tmp_path / "some" / "file").unlink()
        assert await anext(changes) == ("file", True)
        (tmp_path / "some").rmdir()
        assert [one async for one in changes] == []


def test_what_is_counted_of_it(tmp_path: Path) -> None:
    def counted(here: world.World) -> dict[str, float]:
        assert here.kubelet is not None
        found = pod_counts.samples([one.machine for one in here.kubelet.workers.values()])
        return {f"{one.name}{sorted(one.labels.values())}": one.value for one in found if one.value}

    async def test(here: world.World, folder: Path) -> None:
        (folder / "web.yaml").write_text(MANIFEST.replace("labels:", SLOW_END))
        await here.until_running(NAME)
        assert counted(here) == {
            "kubelet_working_pods['desired', 'sync', 'true']": 1,
            "kubelet_desired_pods['true']": 1,
            "kubelet_active_pods['true']": 1,
            "kubelet_mirror_pods[]": 1,
        }
        (folder / "web.yaml").unlink()
        await here.clock.sleep(1)
        assert counted(here) == {
            "kubelet_working_pods['orphan', 'terminating', 'true']": 1,
            "kubelet_mirror_pods[]": 1,
        }
        await here.until(lambda: here.api.get("pods", NAME) is None, 20)
        assert counted(here) == {}

    run(test, tmp_path)
