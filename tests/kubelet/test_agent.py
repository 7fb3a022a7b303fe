"""The whole kubelet on the fake runtime: what the API sees of pods."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from steersman.aio.clock import VirtualClock
from steersman.containers import runtime
from steersman.containers.fake import FakeRuntime
from steersman.containers.runtime import RuntimeFailure
from steersman.kubelet import pod_events
from steersman.kubelet.pod_volumes import PodVolumes
from steersman.meta import conditions
from tests.aio import virtual
from tests.kubelet import world
from tests.kubelet.world import container, sidecar


def run(test: Any, folder: Path, **options: Any) -> None:
    async def body(clock: VirtualClock) -> None:
        await test(world.make(clock, folder, **options))

    virtual.run(body)


def test_registers_its_node_and_keeps_a_lease(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            await here.clock.sleep(25)
            node = here.api.get("nodes", world.NODE, "")
            assert node is not None
            assert node["metadata"]["labels"]["kubernetes.io/hostname"] == world.NODE
            assert conditions.is_true(node, "Ready")
            assert node["status"]["capacity"]["cpu"] == "2"
            assert node["status"]["addresses"][0] == {"type": "InternalIP", "address": "172.30.0.2"}
            lease = here.api.get("leases", world.NODE, "kube-node-lease")
            assert lease is not None
            assert lease["spec"]["renewTime"] > "2026-01-01T00:00:15"
            assert lease["metadata"]["ownerReferences"][0]["uid"] == node["metadata"]["uid"]

    run(test, tmp_path)


def test_what_the_machine_is_stays_in_its_labels(tmp_path: Path) -> None:
    """Upstream's `os_label_rename_test.go`."""

    def labels(here: world.World) -> dict[str, str]:
        return dict((here.api.get("nodes", world.NODE, "") or {})["metadata"]["labels"])

    async def test(here: world.World) -> None:
        async with here.running():
            await here.until(lambda: here.api.get("leases", world.NODE, "kube-node-lease"))
            right = labels(here)
            node = here.api.get("nodes", world.NODE, "")
            assert node is not None
            wrong = {**right, "kubernetes.io/os": "dummyOS", "kubernetes.io/arch": "dummyArch", "mine": "stays"}
            here.api.put("nodes", {**node, "metadata": {**node["metadata"], "labels": wrong}})
            await here.until(lambda: labels(here) == {**right, "mine": "stays"}, 30)

    run(test, tmp_path)


def test_a_pod_runs_with_one_write(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod(containers=[container(), container("second")])
            await here.until_running()
            assert len(here.api.statuses("web")) == 2, "the user's own write and one of the kubelet"
            found = here.status()
            assert found["podIP"].startswith("10.244.")
            assert found["hostIP"] == "172.30.0.2"
            assert [one["ready"] for one in found["containerStatuses"]] == [True, True]
            assert here.events.of("Started") == ["Container started"] * 2
            assert here.events.containers_of("Started") == ["main", "second"]

    run(test, tmp_path)


def test_a_slow_start_is_told(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod(annotations={"fake.steersman.dev/start-delay": "2"})
            await here.until(lambda: "containerStatuses" in here.status(), 1)
            assert here.container()["state"] == {"waiting": {"reason": "ContainerCreating"}}
            await here.until_running()

    run(test, tmp_path)


class FarRuntime(FakeRuntime):
    """One that is away for a minute: it goes when it has started a container (or is about to), before it answers."""

    away_until, has_started = -1.0, True

    async def start_container(self, container_id: str) -> None:
        if self.away_until >= 0:
            await super().start_container(container_id)
            return
        if self.has_started:
            await super().start_container(container_id)
        self.away_until = self._clock.monotonic() + 60
        self._check_here()

    async def container_status(self, container_id: str) -> runtime.ContainerStatus | None:
        self._check_here()
        return await super().container_status(container_id)

    async def list_containers(self) -> Sequence[runtime.ContainerStatus]:
        self._check_here()
        return await super().list_containers()

    def _check_here(self) -> None:
        if self._clock.monotonic() < self.away_until:
            raise RuntimeFailure("Unavailable", "failed to connect to all addresses")


@pytest.mark.parametrize("has_started", [True, False])
def test_a_runtime_that_is_away_fails_no_pod(tmp_path: Path, has_started: bool) -> None:
    async def test(here: world.World) -> None:
        here.runtime = FarRuntime(here.clock)
        here.runtime.has_started = has_started
        async with here.running():
            here.pod()
            await here.until_running()
            assert here.container()["restartCount"] == (0 if has_started else 1)
            assert here.events.of("FailedSync") == []
            here.api.delete_pod("web", 1)
            await here.until(lambda: here.api.get("pods", "web") is None)

    run(test, tmp_path)


def test_deletion_ends_gracefully_and_removes_the_object(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running() as kubelet:
            here.pod(annotations={"fake.steersman.dev/stop-seconds": "3"})
            await here.until_running()
            started = here.clock.monotonic()
            here.api.delete_pod("web")
            await here.until(lambda: here.api.get("pods", "web") is None)
            assert 3 <= here.clock.monotonic() - started < 4
            assert here.api.statuses("web")[-1]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0
            assert here.events.of("Killing") == ["Stopping container main"]
            await world.turns()
            assert not kubelet.workers
            assert not await here.runtime.list_sandboxes()

    run(test, tmp_path)


def test_sigkill_after_the_grace_period(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod(annotations={"fake.steersman.dev/stop-seconds": "never"}, terminationGracePeriodSeconds=5)
            await here.until_running()
            started = here.clock.monotonic()
            here.api.delete_pod("web")
            await here.until(lambda: here.api.get("pods", "web") is None)
            assert 5 <= here.clock.monotonic() - started < 6
            assert here.api.statuses("web")[-1]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 137

    run(test, tmp_path)


@pytest.mark.parametrize(
    ("about", "phase", "states"),
    [
        (
            {"containers": [container(image="missing.fake.steersman.dev/no:1")]},
            "Failed",
            ["ContainerStatusUnknown 137"],
        ),
        (
            {
                "inits": [container("first", image="missing.fake.steersman.dev/no:1"), container("second")],
                "containers": [container()],
            },
            "Failed",
            ["ContainerStatusUnknown 137", "PodInitializing", "PodInitializing"],
        ),
        ({"inits": [container("first")]}, "Failed", ["Completed 0", "ContainerStatusUnknown 137"]),
        ({"annotations": {"fake.steersman.dev/stop-seconds": "never"}}, "Failed", ["Error 137"]),
        ({"annotations": {"fake.steersman.dev/run-seconds": "0"}}, "Succeeded", ["Completed 0"]),
        ({}, "Succeeded", ["Completed 0"]),
    ],
    ids=["no image", "no image of an init container", "an init container runs", "deaf", "between two runs", "obedient"],
)
def test_the_last_word_of_a_deleted_pod(tmp_path: Path, about: Any, phase: str, states: list[str]) -> None:
    """Upstream's `deleted_pods_test.go`; told once, when nothing of it is left on the node."""

    async def test(here: world.World) -> None:
        async with here.running() as kubelet:
            here.pod(**about)
            await here.until(lambda: here.status().get("containerStatuses"))
            await here.clock.sleep(1)
            before = len(here.api.statuses("web"))
            here.api.delete_pod("web", 1)
            await here.until(lambda: here.api.get("pods", "web") is None)
            words = here.api.statuses("web")[before:]
            assert [one["phase"] for one in words].count(phase) == 1
            assert words[-1]["phase"] == phase
            assert not kubelet.workers
        found = [*(words[-1].get("initContainerStatuses") or []), *words[-1]["containerStatuses"]]
        ended = [one["state"].get("terminated") for one in found]
        assert [
            f"{one['reason']} {one['exitCode']}" if one else found[n]["state"]["waiting"]["reason"]
            for n, one in enumerate(ended)
        ] == states

    run(test, tmp_path)


def test_a_deleted_pod_is_over_when_its_volumes_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod()
            await here.until_running()

            async def unmount(self: Any) -> None:
                await here.clock.sleep(5)
                self._shell.tell(pod_events.VolumesUnmounted())

            monkeypatch.setattr(PodVolumes, "_unmount", unmount)
            here.api.delete_pod("web")
            await here.clock.sleep(4)
            assert "terminated" in here.container()["state"], "told though the rest takes its time"
            assert here.phase() == "Running"
            await here.until(lambda: here.api.get("pods", "web") is None)
            assert here.api.statuses("web")[-1]["phase"] == "Succeeded"

    run(test, tmp_path)


def test_a_shorter_grace_period_counts(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod(annotations={"fake.steersman.dev/stop-seconds": "never"}, terminationGracePeriodSeconds=600)
            await here.until_running()
            here.api.delete_pod("web")
            await here.clock.sleep(1)
            started = here.clock.monotonic()
            here.api.delete_pod("web", grace_seconds=2)
            await here.until(lambda: here.api.get("pods", "web") is None)
            assert here.clock.monotonic() - started < 4

    run(test, tmp_path)


def test_crash_loop_backoff_doubles(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod(annotations={"fake.steersman.dev/run-seconds": "1", "fake.steersman.dev/exit-code": "3"})
            await here.until(lambda: here.status().get("containerStatuses", [{}])[0].get("restartCount") == 4)
            starts = here.events.of("Started")
            assert len(starts) == 5
            assert 70 < here.clock.monotonic() < 80, "0 + 10 + 20 + 40 seconds of waiting, 1 of running each"
            await here.until(lambda: "waiting" in here.container()["state"])
            waiting = here.container()["state"]["waiting"]
            assert waiting["reason"] == "CrashLoopBackOff"
            assert waiting["message"].startswith("back-off 1m20s restarting failed container=main pod=web_default(")
            assert here.container()["lastState"]["terminated"]["exitCode"] == 3
            assert here.phase() == "Running"
            await world.turns()
            assert len(await here.runtime.list_containers()) == 2, "of the dead only the last two are kept"

    run(test, tmp_path)


@pytest.mark.parametrize(
    ("first", "most", "starts"),
    [(10, 300, 5), (10, 30, 6), (1, 60, 8), (1, 1, 102)],
    ids=["as it is", "at most half a minute", "as it may become", "a second"],
)
def test_crashes_wait_as_configured(tmp_path: Path, first: float, most: float, starts: int) -> None:
    """How often a container that ends at once is started within 101 seconds."""

    async def test(here: world.World) -> None:
        async with here.running():
            here.pod(annotations={"fake.steersman.dev/run-seconds": "0", "fake.steersman.dev/exit-code": "1"})
            await here.until(lambda: here.events.of("Started"))
            await here.clock.sleep(100.9)
            assert len(here.events.of("Started")) == starts

    run(test, tmp_path, crash_first_seconds=first, crash_most_seconds=most)


@pytest.mark.parametrize(
    ("policy", "codes", "phase", "restarts"),
    [
        ("Never", "0", "Succeeded", 0),
        ("Never", "2", "Failed", 0),
        ("OnFailure", "0", "Succeeded", 0),
        ("OnFailure", "1,0", "Succeeded", 1),
    ],
)
def test_pods_that_end(tmp_path: Path, policy: str, codes: str, phase: str, restarts: int) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            about = {"fake.steersman.dev/run-seconds": "1", "fake.steersman.dev/exit-code": codes}
            here.pod(restartPolicy=policy, annotations=about)
            await here.until(lambda: here.phase() in ("Succeeded", "Failed"))
            assert here.phase() == phase
            assert here.container()["restartCount"] == restarts
            assert not here.is_ready()
            here.api.delete_pod("web")
            await here.until(lambda: here.api.get("pods", "web") is None)

    run(test, tmp_path)


def test_init_containers_and_sidecars_start_in_order(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod(
                inits=[container("first"), sidecar(), container("second")],
                annotations={
                    "fake.steersman.dev/run-seconds.first": "1",
                    "fake.steersman.dev/run-seconds.second": "1",
                },
            )
            await here.until(lambda: here.status().get("initContainerStatuses"))
            assert here.container()["state"] == {"waiting": {"reason": "PodInitializing"}}
            assert here.phase() == "Pending"
            await here.until_running()
            assert here.events.containers_of("Started") == ["first", "side", "second", "main"]
            here.api.delete_pod("web")
            await here.until(lambda: here.api.get("pods", "web") is None)
            order = [text.removeprefix("Stopping container ") for text in here.events.of("Killing")]
            assert order == ["main", "side"], "sidecars end after what they serve"

    run(test, tmp_path)


def test_a_failed_init_container_fails_a_pod_that_never_restarts(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod(
                inits=[container("first")],
                restartPolicy="Never",
                annotations={"fake.steersman.dev/run-seconds.first": "1", "fake.steersman.dev/exit-code.first": "1"},
            )
            await here.until(lambda: here.phase() == "Failed")
            assert here.container()["state"] == {"waiting": {"reason": "PodInitializing"}}

    run(test, tmp_path)


def test_a_job_with_a_sidecar_succeeds(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod(inits=[sidecar()], restartPolicy="Never", annotations={"fake.steersman.dev/run-seconds.main": "1"})
            await here.until(lambda: here.phase() == "Succeeded")

    run(test, tmp_path)


def test_an_image_that_is_missing_backs_off(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        image = "missing.fake.steersman.dev/no:1"
        async with here.running():
            here.pod(containers=[container(image=image)])
            await here.until(lambda: here.status().get("containerStatuses"))
            assert here.container()["state"]["waiting"]["reason"] == "ErrImagePull"
            await here.until(lambda: here.container()["state"]["waiting"]["reason"] == "ImagePullBackOff")
            assert here.container()["state"]["waiting"]["message"].startswith(f'Back-off pulling image "{image}"')
            assert here.events.of("BackOff") == [f'Back-off pulling image "{image}"']
            assert "Error: ErrImagePull" in here.events.of("Failed")
            await here.clock.sleep(40)
            assert len(here.events.of("Pulling")) == 3, "after 10 and 20 seconds"
            here.api.delete_pod("web")
            await here.until(lambda: here.api.get("pods", "web") is None)

    run(test, tmp_path)


def test_a_failing_readiness_probe_takes_the_pod_out(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        probe = {"exec": {"command": ["check"]}, "periodSeconds": 1, "failureThreshold": 2}
        async with here.running():
            here.pod(containers=[container(readinessProbe=probe)])
            await here.until_running()
            found = (await here.runtime.list_containers())[0]
            await world.turns()
            behaviour = here.runtime._containers[found.id].behaviour
            _fail(here, found.id, behaviour)
            await here.until(lambda: not here.is_ready())
            assert here.container()["state"].keys() == {"running"}
            assert any(text.startswith("Readiness probe failed:") for text in here.events.of("Unhealthy"))

    run(test, tmp_path)


def test_a_failing_liveness_probe_restarts(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        probe = {"exec": {"command": ["check"]}, "periodSeconds": 1, "failureThreshold": 2}
        async with here.running():
            here.pod(containers=[container(livenessProbe=probe)])
            await here.until_running()
            found = (await here.runtime.list_containers())[0]
            _fail(here, found.id, here.runtime._containers[found.id].behaviour)
            await here.until(lambda: here.container()["restartCount"] == 1)
            assert here.events.of("Killing") == ["Container main failed liveness probe, will be restarted"]
            await here.until_running()

    run(test, tmp_path)


def _fail(here: world.World, container_id: str, behaviour: Any) -> None:
    import dataclasses

    from steersman.containers.fake_behaviour import ExecAnswer

    here.runtime.set_behaviour(container_id, dataclasses.replace(behaviour, exec={"*": ExecAnswer(1, b"no")}))


def test_a_killed_kubelet_takes_running_containers_over(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod(containers=[container(), container("second")])
            await here.until_running()
        before = [one.id for one in await here.runtime.list_containers()]
        writes = len(here.api.statuses("web"))
        async with here.running():
            await here.clock.sleep(5)
            assert [one.id for one in await here.runtime.list_containers()] == before
            assert here.is_ready()
            assert len(here.api.statuses("web")) == writes, "nothing to tell"
            assert here.container()["restartCount"] == 0

    run(test, tmp_path)


def test_after_a_boot_a_pod_begins_anew_and_remembers(tmp_path: Path) -> None:
    """The runtime has nothing of it any more: neither the sandbox nor the containers that ended long before."""

    async def test(here: world.World) -> None:
        async with here.running():
            ends = {"fake.steersman.dev/run-seconds.first": "1", "fake.steersman.dev/run-seconds.once": "1"}
            mains = [container(), container("once", restartPolicy="Never")]
            here.pod(inits=[container("first")], containers=mains, annotations=ends)
            await here.until(
                lambda: "terminated" in (here.status().get("containerStatuses") or [{}, {}])[1].get("state", {})
            )
        here.runtime = FakeRuntime(here.clock)
        async with here.running():
            await here.until(lambda: here.container()["restartCount"] == 1 and "running" in here.container()["state"])
            assert here.container()["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown"
            assert here.container(1)["state"]["terminated"]["reason"] == "Completed", "what is over for good stays over"
            [first] = here.status()["initContainerStatuses"]
            assert (first["restartCount"], first["lastState"]["terminated"]["reason"]) == (1, "Completed")
            assert here.events.of("SandboxChanged")

    run(test, tmp_path)


def test_what_ended_while_no_kubelet_looked_is_told(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod()
            here.pod("gone")
            await here.until_running()
            await here.until_running("gone")
        for one in await here.runtime.list_containers():
            if one.pod_uid == here.api.objects["pods", "default", "web"]["metadata"]["uid"]:
                here.runtime.exit(one.id, 7)
        here.api.remove("pods", "gone")
        async with here.running():
            await here.until(lambda: here.container()["restartCount"] == 1)
            assert here.container()["lastState"]["terminated"]["exitCode"] == 7
            await here.clock.sleep(3)
            assert len(await here.runtime.list_sandboxes()) == 1, "the orphan is removed"

    run(test, tmp_path)


def test_a_lost_sandbox_is_made_again(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod()
            await here.until_running()
            here.runtime.lose_sandbox((await here.runtime.list_sandboxes())[0].id)
            await here.until(lambda: here.container()["restartCount"] == 1)
            await here.until_running()
            assert here.events.of("SandboxChanged")

    run(test, tmp_path)


def test_an_unreachable_api_is_told_later(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            await here.clock.sleep(1)
            here.pod()
            await world.turns(3)
            here.api.failing = 4
            await here.until_running()

    run(test, tmp_path)


def test_a_status_that_someone_overwrote_is_written_again(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod()
            await here.until_running()
            pod = here.api.objects["pods", "default", "web"]
            wrong = [{**one, "status": "False"} for one in pod["status"]["conditions"]]
            here.api.put("pods", {**pod, "status": {**pod["status"], "conditions": wrong}})
            assert not here.is_ready()
            await here.until(here.is_ready, 5)

    run(test, tmp_path)


def test_a_new_image_restarts_the_container(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod()
            await here.until_running()
            pod = here.api.objects["pods", "default", "web"]
            here.api.put("pods", {**pod, "spec": {**pod["spec"], "containers": [container(image="localhost/hello:2")]}})
            await here.until(lambda: here.container()["image"] == "localhost/hello:2")
            assert here.container()["restartCount"] == 1

    run(test, tmp_path)


def test_a_pod_has_its_deadline(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod(activeDeadlineSeconds=20)
            await here.until(lambda: here.phase() == "Failed")
            assert here.status()["reason"] == "DeadlineExceeded"
            assert here.clock.monotonic() > 20

    run(test, tmp_path)


def test_a_pod_without_room_fails_and_leaves_its_place_when_deleted(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            big: dict[str, Any] = {"resources": {"requests": {"cpu": "1500m"}}}
            here.pod("first", containers=[container(**big)])
            await here.until_running("first")
            here.pod("second", containers=[container(**big)])
            await here.until(lambda: here.phase("second") == "Failed", 1)
            found = here.status("second")
            assert found["reason"] == "OutOfcpu"
            assert found["message"].startswith("Pod was rejected: Node didn't have enough resource: cpu")
            assert found["observedGeneration"] == 1
            assert "containerStatuses" not in found
            assert len(here.events.of("OutOfcpu")) == 1
        async with here.running() as kubelet:  # a new process refuses nothing that was taken
            await here.clock.sleep(1)
            assert here.phase("first") == "Running"
            assert here.phase("second") == "Failed"
            here.api.delete_pod("second")
            await here.until(lambda: here.api.get("pods", "second") is None, 60)
            assert [worker.pod["metadata"]["name"] for worker in kubelet.workers.values()] == ["first"]

    run(test, tmp_path)


def test_a_pod_deleted_by_force_leaves_its_room_at_once(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            big: dict[str, Any] = {"resources": {"requests": {"cpu": "1500m"}}}
            here.pod("first", containers=[container(**big)])
            await here.until_running("first")
            here.api.remove("pods", "first")
            here.pod("second", containers=[container(**big)])
            await here.until_running("second")
            assert here.events.of("OutOfcpu") == []

    run(test, tmp_path)


def test_labels_are_asked_for_again_before_a_pod_is_refused(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            await here.clock.sleep(1)
            node = here.api.get("nodes", world.NODE, "")
            assert node is not None
            labels = {**node["metadata"]["labels"], "disk": "ssd"}
            here.api.put("nodes", {**node, "metadata": {**node["metadata"], "labels": labels}})
            here.pod("late", nodeSelector={"disk": "ssd"})
            here.pod("wrong", nodeSelector={"disk": "hdd"})
            await here.until_running("late")
            await here.until(lambda: here.phase("wrong") == "Failed", 1)
            assert here.status("wrong")["reason"] == "NodeAffinity"

    run(test, tmp_path)


def test_what_an_image_volume_holds_is_told(tmp_path: Path) -> None:
    """After upstream's ImageVolumeWithDigest; also by the next kubelet, which has pulled nothing."""

    async def test(here: world.World) -> None:
        mounts = [{"name": "model", "mountPath": "/model", "readOnly": True}, {"name": "some", "mountPath": "/some"}]
        volumes = [
            {"name": "model", "image": {"reference": "registry.example/model:1", "pullPolicy": "IfNotPresent"}},
            {"name": "some", "emptyDir": {}},
        ]
        async with here.running():
            here.pod(containers=[container(volumeMounts=mounts)], volumes=volumes)
            await here.until_running()
            [model, some] = here.container()["volumeMounts"]
            digest = (await here.runtime.images.status("registry.example/model:1")).digests[0]
            assert model["volumeStatus"] == {"image": {"imageRef": digest}}
            assert "volumeStatus" not in some
        async with here.running():
            await here.clock.sleep(10)
            assert here.container()["volumeMounts"] == [model, some]
            assert here.container()["restartCount"] == 0

    run(test, tmp_path)


def test_a_taint_that_has_just_gone_refuses_nobody(tmp_path: Path) -> None:
    """The node is asked again, as for its labels; while it has the taint, a pod that was bound past the scheduler fails."""

    async def test(here: world.World) -> None:
        async with here.running() as kubelet:
            await here.until(lambda: here.api.get("leases", world.NODE, "kube-node-lease"))
            node = here.api.get("nodes", world.NODE, "") or {}
            tainted = {**node, "spec": {**(node.get("spec") or {}), "taints": [{"key": "gone", "effect": "NoExecute"}]}}
            here.api.put("nodes", tainted)
            await kubelet._heartbeat.look_again()
            here.pod("refused")
            await here.until(lambda: here.phase("refused") == "Failed", 5)
            assert here.status("refused")["reason"] == "TaintToleration"
            here.api.put("nodes", {**node, "spec": {**(node.get("spec") or {})}})
            here.pod("welcome")
            await here.until_running("welcome")

    run(test, tmp_path)
