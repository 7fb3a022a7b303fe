"""podresources/v1: tells monitoring agents on the node which pods have which devices and processors for themselves.

Reads the agent's pods and who was given what; writes the socket. Source: upstream's kubelet/apis/podresources.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from steersman.kubelet.device_manager import DeviceManager
from steersman.kubelet.processors import Processors
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.serving import protobuf

SOCKET = Path("pod-resources") / "kubelet.sock"  # below the kubelet's folder
SCHEMA = Path(__file__).with_name("pod_resources.proto")


class PodResources:
    def __init__(
        self, socket: Path, devices: DeviceManager, processors: Processors, pods: Callable[[], Iterable[Object]]
    ) -> None:
        self._socket = socket
        self._devices = devices
        self._processors = processors
        self._pods = pods

    async def run(self) -> None:
        """Until cancelled."""
        from steersman.serving import remote_calls

        self._socket.parent.mkdir(parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)
        handlers = {"List": self._list, "GetAllocatableResources": self._allocatable, "Get": self._get}
        schema = protobuf.load(SCHEMA)
        server = await remote_calls.serve(f"unix:{self._socket}", schema, {"PodResourcesLister": handlers})
        try:
            await server.wait_for_termination()
        finally:
            await server.stop(None)

    async def _list(self, _: protobuf.Message) -> protobuf.Message:
        return {"pod_resources": [self._of(pod) for pod in self._pods()]}

    async def _get(self, request: protobuf.Message) -> protobuf.Message:
        from steersman.serving import remote_calls

        wanted = request["pod_namespace"], request["pod_name"]
        for pod in self._pods():
            if (objects.namespace(pod), objects.name(pod)) == wanted:
                return {"pod_resources": self._of(pod)}
        raise remote_calls.CallFailed("UNKNOWN", f"pod {wanted[1]} in namespace {wanted[0]} not found")

    async def _allocatable(self, _: protobuf.Message) -> protobuf.Message:
        """Processors that one container could have for itself, and the devices that are healthy."""
        return {
            "devices": [_devices(name, ids) for name, ids in self._devices.healthy().items()],
            "cpu_ids": sorted(self._processors.for_one()),
        }

    def _of(self, pod: Object) -> protobuf.Message:
        spec, uid = pod["spec"], objects.uid(pod)
        given = self._devices.given().get(uid, {})
        listed = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
        return {
            "name": objects.name(pod),
            "namespace": objects.namespace(pod),
            "containers": [
                {
                    "name": one["name"],
                    "devices": [_devices(name, ids) for name, ids in given.get(one["name"], {}).items()],
                    "cpu_ids": sorted(self._processors.own(uid, one["name"])),
                }
                for one in (*listed, *spec["containers"])
            ],
        }


def _devices(resource: str, ids: Iterable[str]) -> protobuf.Message:
    return {"resource_name": resource, "device_ids": sorted(ids)}
