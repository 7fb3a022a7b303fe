"""What a pod waits for between the decision and its binding."""

import asyncio

import pytest

from steersman.api import kinds, volumes
from steersman.client.cache import Caches
from steersman.scheduler.volume_binder import BindingFailedError, VolumeBinder
from steersman.scheduler.volumes import Plan
from tests.aio import virtual
from tests.client.conftest import client, server  # noqa: F401 -- fixtures
from tests.client.fake_server import running

HERE = Plan("here", provisioned=("default/data",))


def claim(volume="", chosen=""):
    annotations = {volumes.SELECTED_NODE: chosen} | ({volumes.BIND_COMPLETED: "yes"} if volume else {})
    meta = {"name": "data", "namespace": "default", "uid": "uid-data", "annotations": annotations}
    spec = {"volumeName": volume} if volume else {}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def volume_on(host):
    term = {"matchExpressions": [{"key": "host", "operator": "In", "values": [host]}]}
    spec = {"nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv", "uid": "uid-pv"}, "spec": spec}


NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "here", "uid": "n", "labels": {"host": "here"}}}


@pytest.fixture
async def binder(client, server):  # noqa: F811
    caches = Caches(client, client.clock)
    found = (kinds.PERSISTENT_VOLUME_CLAIM, kinds.PERSISTENT_VOLUME, kinds.NODE)
    made = VolumeBinder(client, client.clock, *(caches.of(kind) for kind in found))
    await server.write(NODE)
    await server.write(claim())
    async with running(caches.run()):
        await caches.wait_synced()
        yield made


async def begun(binder):
    task = asyncio.ensure_future(binder.bind(HERE, 0))
    await virtual.turns(50)
    assert not task.done()
    return task


async def test_waits_for_the_claim_and_its_volume(binder, server):  # noqa: F811
    task = await begun(binder)
    entry = await server.store.get("/core/persistentvolumeclaims/default/data")
    assert b'"volume.kubernetes.io/selected-node":"here"' in entry.value
    await server.write(claim("pv", "here"))
    await virtual.turns(50)
    assert not task.done(), "its volume has not been seen yet"
    await server.write(volume_on("here"))
    await asyncio.wait_for(task, 5)


async def test_a_volume_that_was_made_elsewhere_meanwhile_is_no_place_for_the_pod(binder, server):  # noqa: F811
    task = await begun(binder)
    await server.write(volume_on("there"))
    await server.write(claim("pv", "here"))
    with pytest.raises(BindingFailedError) as refused:
        await asyncio.wait_for(task, 5)
    expected = 'binding volumes: pv "pv" node affinity doesn\'t match node "here": no matching NodeSelectorTerms'
    assert str(refused.value) == expected


async def test_a_choice_that_is_taken_back_fails(binder, server):  # noqa: F811
    task = await begun(binder)
    await server.write(claim(chosen="there"))
    with pytest.raises(BindingFailedError, match="selectedNode annotation reset"):
        await asyncio.wait_for(task, 5)
