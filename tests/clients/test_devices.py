"""Dynamic resource allocation end to end: a driver on a real node, a pod that claims its device, a container that sees it."""

import asyncio
import json
import pathlib
import threading
from collections.abc import Iterator

import pytest

from steersman.kubelet.csi import registration
from steersman.kubelet.dra import plugins
from steersman.serving import protobuf, remote_calls
from tests.clients.conftest import RunningCluster

pytestmark = [pytest.mark.root, pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(300)]

OBJECTS = """
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: lamp}
spec:
  selectors: [{cel: {expression: "device.driver == 'lamp.test'"}}]
  extendedResourceName: lamp.test/lamp
---
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: {name: lamps}
spec:
  driver: lamp.test
  nodeName: node1
  pool: {name: node1, generation: 1, resourceSliceCount: 1}
  devices: [{name: lamp-0}]
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: lamp}
spec: {spec: {devices: {requests: [{name: one, exactly: {deviceClassName: lamp}}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: reader}
spec:
  restartPolicy: Never
  resourceClaims: [{name: light, resourceClaimTemplateName: lamp}]
  containers:
  - name: main
    image: localhost/hello:1
    command: [sh, -c, "echo lamp is $LAMP"]
    resources: {claims: [{name: light}]}
"""


EXTENDED = """
apiVersion: v1
kind: Pod
metadata: {name: plain}
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: localhost/hello:1
    command: [sh, -c, "echo lamp is $LAMP"]
    resources: {limits: {lamp.test/lamp: 1}}
"""


@pytest.fixture
def driver(cluster: RunningCluster) -> Iterator[list[str]]:
    """Runs in a thread of its own, in the folder of node1's kubelet; what it was asked."""
    folder = cluster.folder / "data" / "nodes" / "node1" / "kubelet"
    cdi = pathlib.Path("/var/run/cdi/steersman-test-lamp.json")
    device = {"name": "lamp-0", "containerEdits": {"env": ["LAMP=on"]}}
    cdi.parent.mkdir(parents=True, exist_ok=True)
    cdi.write_text(json.dumps({"cdiVersion": "0.8.0", "kind": "lamp.test/lamp", "devices": [device]}))
    asked: list[str] = []
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    stop = asyncio.run_coroutine_threadsafe(_serve(folder, asked), loop).result(10)
    try:
        yield asked
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        cdi.unlink()


async def _serve(folder: pathlib.Path, asked: list[str]):
    endpoint = folder / "lamp.sock"
    registry = folder / "plugins_registry" / "lamp.sock"

    async def info(request: protobuf.Message) -> protobuf.Message:
        return {
            "type": "DRAPlugin",
            "name": "lamp.test",
            "endpoint": str(endpoint),
            "supported_versions": [plugins.SERVICE],
        }

    async def told(request: protobuf.Message) -> protobuf.Message:
        asked.append("registered" if request.get("plugin_registered") else request.get("error", ""))
        return {}

    async def prepare(request: protobuf.Message) -> protobuf.Message:
        asked.append("prepare")
        devices = [{"pool_name": "node1", "device_name": "lamp-0", "cdi_device_ids": ["lamp.test/lamp=lamp-0"]}]
        return {"claims": {one["uid"]: {"devices": devices} for one in request["claims"]}}

    async def unprepare(request: protobuf.Message) -> protobuf.Message:
        asked.append("unprepare")
        return {"claims": {one["uid"]: {} for one in request["claims"]}}

    handlers = {"NodePrepareResources": prepare, "NodeUnprepareResources": unprepare}
    of_devices = await remote_calls.serve(f"unix:{endpoint}", protobuf.load(plugins.SCHEMA), {"DRAPlugin": handlers})
    known = {"Registration": {"GetInfo": info, "NotifyRegistrationStatus": told}}
    of_itself = await remote_calls.serve(f"unix:{registry}", protobuf.load(registration.SCHEMA), known)

    async def stop() -> None:
        await of_itself.stop(0)
        await of_devices.stop(0)

    return stop


def test_a_container_sees_the_device_that_its_pod_claims(cluster, space, driver):
    cluster.kubectl("apply", "-n", space, "-f", "-", stdin=OBJECTS)
    try:
        cluster.wait_for("the pod", "Succeeded", "get", "pod", "reader", "-n", space, "-o", "jsonpath={.status.phase}")
        assert cluster.kubectl("logs", "reader", "-n", space) == "lamp is on\n"
        resource = "{.status.containerStatuses[0].allocatedResourcesStatus[0].resources[0]}"
        assert json.loads(cluster.jsonpath(resource, "pod", "reader", "-n", space)) == {
            "resourceID": "lamp.test/lamp=lamp-0",
            "health": "Unknown",  # a driver that tells nothing
        }
        cluster.kubectl("delete", "pod", "reader", "-n", space)
        cluster.wait_for("no claim", "", "get", "resourceclaims", "-n", space, "-o", "name")
        assert driver == ["registered", "prepare", "unprepare"]

        cluster.kubectl("apply", "-n", space, "-f", "-", stdin=EXTENDED)
        cluster.wait_for("the pod", "Succeeded", "get", "pod", "plain", "-n", space, "-o", "jsonpath={.status.phase}")
        assert cluster.kubectl("logs", "plain", "-n", space) == "lamp is on\n"
        cluster.kubectl("delete", "pod", "plain", "-n", space)
        cluster.wait_for("no claim", "", "get", "resourceclaims", "-n", space, "-o", "name")
    finally:
        cluster.kubectl("delete", "deviceclass/lamp", "resourceslice/lamps", "--ignore-not-found")
