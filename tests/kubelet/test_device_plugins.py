"""Device plugins: a plugin of our own, over its socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from steersman.aio.clock import SystemClock
from steersman.containers import runtime
from steersman.kubelet import device_manager, devices, pod_resources
from steersman.kubelet.node_object import Machine
from steersman.kubelet.topology import scopes
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.serving import protobuf, remote_calls
from tests.kubelet import world
from tests.kubelet.topology import machines

SCHEMA = protobuf.load(device_manager.SCHEMA)
RESOURCE = "example.com/thing"
pytestmark = pytest.mark.slow


class Plugin:
    """Answers with one device node, one variable and one mount for what is asked."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self.folder = folder
        self.names = names
        self.changed = asyncio.Event()
        self.asked: list[tuple[str, Any]] = []
        self.fails = False
        self.broken: set[str] = set()
        self.cannot_say = False
        self.places: dict[str, int] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Plugin"]:
        services = {
            "DevicePlugin": {
                "GetDevicePluginOptions": self._options,
                "ListAndWatch": self._list,
                "Allocate": self._allocate,
                "GetPreferredAllocation": self._prefer,
                "PreStartContainer": self._before_start,
            }
        }
        server = await remote_calls.serve(f"unix:{self.folder / 'thing.sock'}", SCHEMA, services)
        try:
            await self.register()
            yield self
        finally:
            await server.stop(None)

    async def register(self, version: str = "v1beta1") -> None:
        kubelet = remote_calls.Peer(f"unix:{self.folder / 'kubelet.sock'}", SCHEMA)
        wanted = {"version": version, "endpoint": "thing.sock", "resource_name": RESOURCE}
        try:
            await kubelet.call("Registration", "Register", wanted, 5)
        finally:
            await kubelet.close()

    async def _options(self, _: protobuf.Message) -> protobuf.Message:
        if self.cannot_say:
            raise remote_calls.CallFailed("INTERNAL", "no options")
        return {"pre_start_required": True, "get_preferred_allocation_available": True}

    async def _list(self, _: protobuf.Message) -> AsyncIterator[protobuf.Message]:
        while True:
            yield {"devices": [self._told(name) for name in self.names]}
            await self.changed.wait()
            self.changed.clear()

    def _told(self, name: str) -> Object:
        place = {"topology": {"nodes": [{"ID": self.places[name]}]}} if name in self.places else {}
        return {"ID": name, "health": "Unhealthy" if name in self.broken else "Healthy", **place}

    async def _prefer(self, request: protobuf.Message) -> protobuf.Message:
        [one] = request["container_requests"]
        self.asked.append(("prefer", one))
        return {"container_responses": [{"deviceIDs": one["available_deviceIDs"][-one["allocation_size"] :]}]}

    async def _allocate(self, request: protobuf.Message) -> protobuf.Message:
        [one] = request["container_requests"]
        self.asked.append(("allocate", one["devices_ids"]))
        if self.fails:
            raise remote_calls.CallFailed("INTERNAL", "on fire")
        answer = {
            "envs": {"THINGS": ",".join(one["devices_ids"])},
            "devices": [{"host_path": "/dev/null", "container_path": "/dev/thing", "permissions": "rw"}],
            "mounts": [{"host_path": "/lib/thing", "container_path": "/thing", "read_only": True}],
            "annotations": {"thing": "yes"},
        }
        return {"container_responses": [answer]}

    async def _before_start(self, request: protobuf.Message) -> protobuf.Message:
        self.asked.append(("start", request["devices_ids"]))
        return {}


def wants(count: int) -> Object:
    return world.container(resources={"limits": {RESOURCE: str(count)}, "requests": {RESOURCE: str(count)}})


def shown(here: world.World) -> tuple[str, str]:
    status = (here.api.get("nodes", world.NODE, "") or {"status": {}})["status"]
    return status.get("capacity", {}).get(RESOURCE, ""), status.get("allocatable", {}).get(RESOURCE, "")


async def until(is_so: Any) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def config_of(here: world.World, name: str) -> runtime.ContainerConfig:
    [found] = [one for one in here.runtime.content().sandboxes if one.config.name == name]
    config: runtime.ContainerConfig = found.containers[0].config
    return config


async def told_of_pods(folder: Path, method: str, request: Object) -> protobuf.Message:
    """What the kubelet's podresources API answers."""
    peer = remote_calls.Peer(f"unix:{folder / pod_resources.SOCKET}", protobuf.load(pod_resources.SCHEMA))
    try:
        return await peer.call("PodResourcesLister", method, request, 5)
    finally:
        await peer.close()


def has(name: str, ids: list[str]) -> Object:
    own = {"name": "main", "devices": [{"resource_name": RESOURCE, "device_ids": ids}]}
    return {"name": name, "namespace": "default", "containers": [own]}


async def test_a_plugin_serves_pods(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    here = world.make(SystemClock(), tmp_path, on_paper=False, device_plugins=folder)
    async with here.running() as kubelet:
        await until((folder / "kubelet.sock").exists)
        async with Plugin(folder, ["a", "b", "c"]).running() as plugin:
            await until(lambda: shown(here) == ("3", "3"))
            here.pod("first", containers=[wants(2)])
            await until(lambda: here.phase("first") == "Running")
            config = config_of(here, "first")
            assert dict(config.environment)["THINGS"] == "b,c", "the plugin's preference"
            assert config.devices == (runtime.Device("/dev/null", "/dev/thing", "rw"),)
            assert runtime.Mount("/thing", "/lib/thing", read_only=True) in config.mounts
            assert config.annotations["thing"] == "yes"
            assert plugin.asked[1:] == [("allocate", ["b", "c"]), ("start", ["b", "c"])]
            assert await told_of_pods(tmp_path, "Get", {"pod_namespace": "default", "pod_name": "first"}) == {
                "pod_resources": has("first", ["b", "c"])
            }
            assert await told_of_pods(tmp_path, "List", {}) == {"pod_resources": [has("first", ["b", "c"])]}
            healthy = {"resource_name": RESOURCE, "device_ids": ["a", "b", "c"]}
            assert await told_of_pods(tmp_path, "GetAllocatableResources", {}) == {"devices": [healthy]}
            here.pod("second", containers=[wants(2)])
            await until(lambda: here.phase("second") == "Failed")
            assert here.status("second")["reason"] == "OutOfexample.com/thing"
            plugin.names.pop(0)
            plugin.changed.set()
            await until(lambda: shown(here) == ("2", "2"))
            here.api.delete_pod("first", 0)
            await until(lambda: not kubelet._node.devices.given())
            plugin.fails = True
            here.pod("third", containers=[wants(1)])
            await until(lambda: here.phase("third") == "Failed")
            assert here.status("third")["reason"] == "UnexpectedAdmissionError"
            assert "Allocate failed due to rpc error: code = Internal desc = on fire" in here.status("third")["message"]
        await until(lambda: shown(here) == ("2", "0"))


async def test_pods_show_how_their_devices_are(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    here = world.make(SystemClock(), tmp_path, on_paper=False, device_plugins=folder)

    def told(health: str) -> bool:
        resources = [{"resourceID": "a", "health": health}]
        statuses = here.status("first").get("containerStatuses") or [{}]
        return bool(statuses[0].get("allocatedResourcesStatus") == [{"name": RESOURCE, "resources": resources}])

    async with here.running():
        await until((folder / "kubelet.sock").exists)
        async with Plugin(folder, ["a"]).running() as plugin:
            await until(lambda: shown(here) == ("1", "1"))
            here.pod("first", containers=[wants(1)])
            await until(lambda: here.phase("first") == "Running" and told("Healthy"))
            plugin.broken.add("a")
            plugin.changed.set()
            await until(lambda: told("Unhealthy"))
            plugin.broken.clear()
            plugin.changed.set()
            await until(lambda: told("Healthy"))
        await until(lambda: shown(here) == ("1", "0"))
        assert told("Healthy"), "what a plugin said last, as upstream has it"


async def test_who_registers_wrongly_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    here = world.make(SystemClock(), tmp_path, on_paper=False, device_plugins=folder)
    async with here.running():
        await until((folder / "kubelet.sock").exists)
        with pytest.raises(remote_calls.CallFailed, match="'v1alpha' is not supported by kubelet"):
            await Plugin(folder, []).register("v1alpha")


async def test_a_plugin_that_cannot_say_what_it_can_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    here = world.make(SystemClock(), tmp_path, on_paper=False, device_plugins=folder)
    async with here.running():
        await until((folder / "kubelet.sock").exists)
        plugin = Plugin(folder, ["a"])
        plugin.cannot_say = True
        wish = "failed to get device plugin options: rpc error: code = Internal desc = no options"
        with pytest.raises(remote_calls.CallFailed, match=wish):
            async with plugin.running():
                pass
        assert shown(here) == ("", "")


async def test_devices_near_each_other(tmp_path: Path) -> None:
    """On the NUMA node that has as many; the podresources API tells where they are."""
    folder = tmp_path / "plugins"
    about: Any = {"on_paper": False, "device_plugins": folder, "topology": scopes.Settings("single-numa-node")}
    here = world.make(SystemClock(), tmp_path, **about)
    here.machine = Machine(cpus=16, memory_bytes=8 << 30, layout=machines.TWO_SOCKETS)
    async with here.running():
        await until((folder / "kubelet.sock").exists)
        plugin = Plugin(folder, ["a", "b", "c"])
        plugin.places = {"a": 0, "b": 1, "c": 1}
        async with plugin.running():
            await until(lambda: shown(here) == ("3", "3"))
            here.pod("three", containers=[wants(3)])
            await until(lambda: here.phase("three") == "Failed")
            assert here.status("three")["reason"] == "TopologyAffinityError"
            here.pod("two", containers=[wants(2)])
            await until(lambda: here.phase("two") == "Running")
            told = await told_of_pods(tmp_path, "Get", {"pod_namespace": "default", "pod_name": "two"})
            [device] = told["pod_resources"]["containers"][0]["devices"]
            assert (device["device_ids"], device["topology"]) == (["b", "c"], {"nodes": [{"ID": 1}]})


async def test_a_later_kubelet_knows_whose_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    here = world.make(SystemClock(), tmp_path, on_paper=False, device_plugins=folder)
    async with here.running():
        await until((folder / "kubelet.sock").exists)
        async with Plugin(folder, ["a"]).running():
            await until(lambda: shown(here) == ("1", "1"))
            here.pod("first", containers=[wants(1)])
            await until(lambda: here.phase("first") == "Running")
    uid = objects.uid(here.api.get("pods", "first") or {})
    async with here.running() as kubelet:
        await until(lambda: kubelet.workers)
        assert kubelet._node.devices.given() == {uid: {"main": {RESOURCE: ("a",)}}}
        assert dict(kubelet._node.devices.grant_of(uid, "main").environment) == {"THINGS": "a"}


def test_candidates() -> None:
    found = devices.Devices()
    found.health[RESOURCE] = {"a": "Healthy", "b": "Healthy", "c": "Unhealthy"}
    found.give("u1", "main", RESOURCE, ["a"])
    wish = devices.Wish("main", RESOURCE, 1, lasts=True)
    assert found.candidates(wish, [], []) == ([], ["b"])
    assert found.candidates(wish, ["a"], []) == (["a"], ["a", "b"]), "an init container's are taken first"
    with pytest.raises(devices.Unavailable, match="Requested: 1, Available: 0"):
        found.candidates(wish, [], ["b"])
    found.health[RESOURCE] = {"a": "Unhealthy"}
    with pytest.raises(devices.Unavailable, match="no healthy devices present"):
        found.candidates(wish, [], [])
