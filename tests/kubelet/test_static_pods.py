"""Pods from a folder, and their mirrors."""

from pathlib import Path
from typing import Any

import pytest

from steersman.aio.clock import VirtualClock
from steersman.kubelet import static_pods
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
