"""podresources/v1: tells monitoring agents on the node which pods have which devices, processors and memory for themselves.

Reads the agent's pods and who was given what; writes the socket. Source: upstream's kubelet/apis/podresources.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from steersman.kubelet.device_manager import DeviceManager
from steersman.kubelet.dra.claims import Claims
from steersman.kubelet.exclusive_resources import ExclusiveResources
from steersman.kubelet.metrics import Metrics
from steersman.kubelet.topology.memory_policy import Block
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.serving import protobuf

SOCKET = Path("pod-resources") / "kubelet.sock"  # below the kubelet's folder
SCHEMA = Path(__file__).with_name("pod_resources.proto")


class PodResources:
    """`pods`: those that are not over."""

    def __init__(
        self,
        socket: Path,
        devices: DeviceManager,
        exclusive: ExclusiveResources,
        claims: Claims,
        metrics: Metrics,
        pods: Callable[[], Iterable[Object]],
    ) -> None:
        self._socket = socket
        self._devices = devices
        self._exclusive = exclusive
        self._claims = claims
        self._metrics = metrics
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

    def _count(self, method: str, what: str = "requests") -> None:
        if what == "requests":
            self._metrics.count("kubelet_pod_resources_endpoint_requests_total", server_api_version="v1")
        self._metrics.count(f"kubelet_pod_resources_endpoint_{what}_{method}", server_api_version="v1")

    async def _list(self, _: protobuf.Message) -> protobuf.Message:
        self._count("list")
        return {"pod_resources": [self._of(pod) for pod in self._pods()]}

    async def _get(self, request: protobuf.Message) -> protobuf.Message:
        from steersman.serving import remote_calls

        self._count("get")
        wanted = request.get("pod_namespace", ""), request.get("pod_name", "")
        for pod in self._pods():
            if (objects.namespace(pod), objects.name(pod)) == wanted:
                return {"pod_resources": self._of(pod)}
        self._count("get", "errors")
        raise remote_calls.CallFailed("UNKNOWN", f"pod {wanted[1]} in namespace {wanted[0]} not found")

    async def _allocatable(self, _: protobuf.Message) -> protobuf.Message:
        """What containers could have for themselves: processors, memory by NUMA node, and the devices that are healthy."""
        self._count("get_allocatable")
        return {
            "devices": [one for name, ids in self._devices.healthy().items() for one in self._by_place(name, ids)],
            "cpu_ids": sorted(self._exclusive.for_one()),
            "memory": [_memory(block) for block in self._exclusive.memory_for_one()],
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
                    "devices": [
                        shown for name, ids in given.get(one["name"], {}).items() for shown in self._by_place(name, ids)
                    ],
                    "cpu_ids": sorted(self._exclusive.own(uid, one["name"])),
                    "memory": [_memory(block) for block in self._exclusive.own_memory(uid, one["name"])],
                    "dynamic_resources": list(self._dynamic(uid, one)),
                }
                for one in (*listed, *spec["containers"])
            ],
        }

    def _by_place(self, resource: str, ids: Iterable[str]) -> Iterator[protobuf.Message]:
        """Devices of the same NUMA nodes together."""
        places: dict[frozenset[int] | None, list[str]] = {}
        for one in sorted(ids):
            places.setdefault(self._devices.devices.nodes.get(resource, {}).get(one), []).append(one)
        for nodes, names in places.items():
            shown: protobuf.Message = {"resource_name": resource, "device_ids": names}
            yield shown if nodes is None else {**shown, "topology": _topology(nodes)}

    def _dynamic(self, uid: str, container: Object) -> Iterator[protobuf.Message]:
        by_claim: dict[str, protobuf.Message] = {}
        for claim, driver, device in self._claims.granted(uid, container):
            shown = by_claim.setdefault(
                claim.uid, {"claim_name": claim.name, "claim_namespace": claim.namespace, "claim_resources": []}
            )
            shown["claim_resources"].append(
                {
                    "cdi_devices": [{"name": name} for name in device.cdi],
                    "driver_name": driver,
                    "pool_name": device.pool,
                    "device_name": device.device,
                }
            )
        yield from by_claim.values()


def _memory(block: Block) -> protobuf.Message:
    return {"memory_type": block.resource, "size": block.bytes, "topology": _topology(block.nodes)}


def _topology(nodes: Iterable[int]) -> protobuf.Message:
    return {"nodes": [{"ID": node} for node in sorted(nodes)]}
