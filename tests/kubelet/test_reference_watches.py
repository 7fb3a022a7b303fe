"""Mounted ConfigMaps and Secrets are watched for as long as a pod holds them."""

from typing import Any

import pytest

from steersman.aio.clock import VirtualClock
from steersman.aio.tasks import Tasks
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from steersman.kubelet import reference_watches
from steersman.kubelet.reference_watches import ReferenceWatches
from steersman.kubelet.references import References
from steersman.meta.objects import Object
from tests.aio import virtual
from tests.kubelet import paper_api, world


def config_map(value: str, **about: Any) -> Object:
    meta = {"name": "settings", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"key": value}, **about}


def mounts(*volumes: Object) -> Object:
    return world.pod(volumes=[{"name": f"v{number}", **one} for number, one in enumerate(volumes)])


SETTINGS = {"configMap": {"name": "settings"}}


@pytest.mark.parametrize(
    ("volumes", "expect"),
    [
        pytest.param([{"emptyDir": {}}], set(), id="nothing"),
        pytest.param([SETTINGS], {("ConfigMap", "default", "settings")}, id="configMap"),
        pytest.param([{"secret": {"secretName": "s"}}], {("Secret", "default", "s")}, id="secret"),
        pytest.param(
            [{"projected": {"sources": [{"secret": {"name": "s"}}, {"configMap": {"name": "kube-root-ca.crt"}}]}}],
            {("Secret", "default", "s")},
            id="projected, but not the certificate that every pod mounts",
        ),
    ],
)
def test_mounted(volumes: list[Object], expect: set[reference_watches.Key]) -> None:
    assert reference_watches.mounted(mounts(*volumes)) == expect


def test_a_change_is_told_until_the_pod_lets_go() -> None:
    async def body(clock: VirtualClock) -> None:
        api = paper_api.PaperApi(clock)
        client = Client(InProcessTransport(api.handle), clock=clock)
        async with Tasks("test") as tasks:
            found = References(client, clock, tasks)
            watches = ReferenceWatches(client, clock, tasks, found)
            api.put("configmaps", config_map("1"))
            told: list[str] = []
            for uid in ("one", "two"):
                watches.hold(uid, mounts(SETTINGS), lambda uid=uid: told.append(uid))  # type: ignore[misc]
            await world.turns()
            assert sum(path.endswith("/configmaps") for _, path in api.requests) == 1, "one watch for both"
            assert (await found.get("ConfigMap", "default", "settings") or {})["data"] == {"key": "1"}
            api.put("configmaps", config_map("2"))
            await world.turns()
            assert told == ["one", "two"]
            assert (await found.get("ConfigMap", "default", "settings") or {})["data"] == {"key": "2"}, (
                "not the kept one"
            )
            watches.release("one")
            api.put("configmaps", config_map("3", immutable=True))
            await world.turns()
            assert told == ["one", "two", "two"]
            api.put("configmaps", config_map("4"))
            await world.turns()
            assert len(told) == 3, "what says that it is immutable is not watched on"
            watches.release("two")

    virtual.run(body)
