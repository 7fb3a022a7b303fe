"""What pods refer to, asked of an API server that tells a node only of what is related to it."""

import asyncio

import pytest

from steersman.aio.clock import SystemClock
from steersman.aio.tasks import Tasks
from steersman.api import kinds
from steersman.apiserver.server import ApiServer
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from steersman.kubelet.references import FRESH_SECONDS, Forbidden, References
from steersman.meta.objects import Object
from steersman.store.memory import MemoryStore

ATTACHMENT: Object = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "VolumeAttachment",
    "metadata": {"name": "csi-1"},
    "spec": {"attacher": "d", "nodeName": "n1", "source": {"persistentVolumeName": "v"}},
}


async def test_an_attachment_that_is_not_there_yet_is_waited_for():
    """It is related to the node by itself alone: until then the answer is no, which is no failure of the pod."""
    clock = SystemClock()
    server = ApiServer(MemoryStore(), clock=clock)
    await server.start()
    admin = Client(InProcessTransport(server.handle, "admin", ("system:masters",)), clock=clock)
    of_node = Client(InProcessTransport(server.handle, "system:node:n1", ("system:nodes",)), clock=clock)
    try:
        async with Tasks("node") as tasks:
            found = References(of_node, clock, tasks)
            asked = ("VolumeAttachment", "", "csi-1")
            with pytest.raises(Forbidden, match="no relationship found between node 'n1' and this object"):
                await found.get(*asked)
            assert await found.find(*asked) is None
            await admin.create(kinds.VOLUME_ATTACHMENT, ATTACHMENT)
            async with asyncio.timeout(10):
                while (attachment := await found.find(*asked)) is None:
                    await clock.sleep(FRESH_SECONDS / 100)
            assert attachment["spec"] == ATTACHMENT["spec"]
    finally:
        await server.close()
