"""The kubelet with real containers: a pod of two containers that share a volume, from creation to its end."""

import json
from pathlib import Path
from typing import Any

import pytest

from steersman.aio.clock import SystemClock
from steersman.kubelet.server import KubeletServer
from steersman.meta.objects import Object
from steersman.serving.messages import Peer, Request
from tests.containers import lab
from tests.kubelet import paper_api, world

pytestmark = [pytest.mark.root, pytest.mark.slow]

WRITER = "trap 'exit 0' TERM; echo $GREETING > /shared/file; while :; do sleep 1000 & wait; done"
READER = "trap 'echo bye > /dev/termination-log; exit 0' TERM; echo ready; while :; do sleep 1000 & wait; done"


def wanted() -> Object:
    shared = {"name": "shared", "mountPath": "/shared"}
    probe = {"exec": {"command": ["test", "-s", "/shared/file"]}, "periodSeconds": 1}
    field = {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    return world.pod(
        containers=[
            world.container(
                "writer",
                command=["sh", "-c", WRITER],
                env=[field, {"name": "GREETING", "value": "hello from $(POD)"}],
                volumeMounts=[shared],
            ),
            world.container(
                "reader",
                command=["sh", "-c", READER],
                volumeMounts=[{**shared, "readOnly": True}],
                readinessProbe=probe,
            ),
        ],
        volumes=[{"name": "shared", "emptyDir": {}}],
        terminationGracePeriodSeconds=5,
    )


async def test_a_pod_lives_and_is_taken_over_and_ends(
    clean_machine: str, group: str, clock: Any, hello_archive: str
) -> None:
    assert isinstance(clock, SystemClock)
    folder = Path(clean_machine) / "kubelet"
    folder.mkdir()
    async with lab.oci_lab(clock, clean_machine, group, hello_archive) as oci:
        here = world.make(clock, folder, on_paper=False)
        here.runtime = oci.node
        here.api = paper_api.PaperApi(clock)
        async with here.running() as kubelet:
            await here.until(lambda: here.api.get("leases", world.NODE, "kube-node-lease"), 5)
            here.api.put("pods", wanted())
            await here.until_running()
            server = KubeletServer([kubelet], clock)
            log = await server.handle(
                Request("GET", "/containerLogs/default/web/reader", peer=Peer("", "admin", ("system:masters",)))
            )
            assert log.stream is not None
            assert b"".join([piece async for piece in log.stream]) == b"ready\n"
            run = Request(
                "POST", "/run/default/web/reader", "cmd=cat+/shared/file", peer=Peer("", "admin", ("system:masters",))
            )
            assert (await server.handle(run)).body == b"hello from web\n"
        before = sorted(one["containerID"] for one in here.status()["containerStatuses"])
        async with here.running() as kubelet:
            await here.until(lambda: kubelet.workers, 5)
            await clock.sleep(0.3)
            assert sorted(one["containerID"] for one in here.status()["containerStatuses"]) == before
            assert here.is_ready(), "taken over without a restart"
            here.api.delete_pod("web")
            await here.until(lambda: here.api.get("pods", "web") is None, 10)
            last = here.api.statuses("web")[-1]
            ended = {one["name"]: one["state"]["terminated"] for one in last["containerStatuses"]}
            assert (ended["reader"]["exitCode"], ended["reader"]["message"]) == (0, "bye\n"), json.dumps(ended)
        assert not list(await oci.node.list_sandboxes())
        assert not list((folder / "logs" / "pods").iterdir())
        assert not (folder / "pods").exists() or not list((folder / "pods").iterdir())
