"""Device plugins: takes their registrations, follows their devices, asks them for what pods want.

Keeps true: the Node shows every registered resource; a device has one owner; a later kubelet knows who has what. Reads and
writes: `kubelet.sock` and the plugins' sockets in the folder for plugins, and the checkpoint beside them.
Source: the Kubernetes documentation "Device Plugins".
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks
from steersman.containers import runtime
from steersman.kubelet import admission, devices
from steersman.kubelet.devices import Devices, Unavailable, Wish
from steersman.kubelet.metrics import Metrics
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.serving import protobuf

if TYPE_CHECKING:
    from steersman.serving.remote_calls import Peer

_log = logging.getLogger(__name__)

SOCKET, CHECKPOINT, VERSION = "kubelet.sock", "kubelet_internal_checkpoint", "v1beta1"
SERVICE = "DevicePlugin"
# How long a plugin that is gone keeps its resource's name on the Node (upstream's endpointStopGracePeriod).
GONE_SECONDS = 300.0
PRE_START_SECONDS = 30.0
OPTIONS_SECONDS = 10.0
SCHEMA = Path(__file__).with_name("device_plugin.proto")


Near = Callable[[str], frozenset[int] | None]


class _Plugin:
    def __init__(self, peer: "Peer", options: protobuf.Message) -> None:
        self.peer = peer
        self.options = options


class DeviceManager:
    """`changed` is awaited whenever the Node has other devices to show. `folder` None: no plugins."""

    def __init__(
        self,
        folder: Path | None,
        clock: Clock,
        tasks: Tasks,
        metrics: Metrics,
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._tasks = tasks
        self._metrics = metrics
        self._changed = changed
        self._devices = Devices()
        self._plugins: dict[str, _Plugin] = {}
        self._following: dict[str, asyncio.Task[None]] = {}
        self._grants: dict[str, dict[str, dict[str, protobuf.Message]]] = {}
        self._allocating = asyncio.Lock()

    async def run(self) -> None:
        """Until cancelled."""
        from steersman.serving import remote_calls

        assert self._folder is not None, "where there is a folder for them"
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / SOCKET
        path.unlink(missing_ok=True)
        services = {"Registration": {"Register": self._register}}
        server = await remote_calls.serve(f"unix:{path}", protobuf.load(SCHEMA), services)
        try:
            await server.wait_for_termination()
        finally:
            await server.stop(None)
            for plugin in self._plugins.values():
                await plugin.peer.close()

    def read_checkpoint(self, known: Iterable[str]) -> None:
        """Who had what when the last kubelet ended; pods that are gone have nothing any more."""
        if self._folder is None or not (path := self._folder / CHECKPOINT).exists():
            return
        state, here = json.loads(path.read_text()), set(known)
        for entry in state["entries"]:
            if entry["pod"] in here:
                self._devices.give(entry["pod"], entry["container"], entry["resource"], entry["devices"])
                self._keep(entry["pod"], entry["container"], entry["resource"], entry["answer"])
        for resource in state["resources"]:
            self._devices.health.setdefault(resource, {})

    def capacity(self) -> dict[str, str]:
        return self._devices.capacity()

    def allocatable(self) -> dict[str, str]:
        return self._devices.allocatable()

    def given(self) -> dict[str, dict[str, dict[str, tuple[str, ...]]]]:
        """By pod, container and resource."""
        return self._devices.given

    def healthy(self) -> dict[str, list[str]]:
        """By resource."""
        return {
            name: [one for one, health in found.items() if health == devices.HEALTHY]
            for name, found in self._devices.health.items()
        }

    def wants(self, pod: Object) -> bool:
        return bool(devices.wishes(pod, self._devices.health)) and objects.uid(pod) not in self._devices.given

    @property
    def devices(self) -> Devices:
        return self._devices

    async def allocate(self, pod: Object, near: Near = lambda _: None) -> admission.Refusal | None:
        """All that the pod's containers want, or nothing and why. `near`: the NUMA nodes that suit a container."""
        async with self._allocating:
            try:
                await self._allocate(pod, near)
            except Unavailable as missing:
                self.release(objects.uid(pod))
                text = f"Allocate failed due to {missing}, which is unexpected"
                return admission.Refusal("UnexpectedAdmissionError", text)
        self._write_checkpoint()
        return None

    def grant_of(self, uid: str, container: str) -> runtime.DeviceGrant:
        return devices.grant(self._grants.get(uid, {}).get(container, {}).values())

    def release(self, uid: str) -> None:
        if self._devices.given.get(uid):
            self._devices.release(uid)
            self._grants.pop(uid, None)
            self._write_checkpoint()

    async def before_start(self, uid: str, container: str) -> None:
        """Some plugins prepare devices for each start. Raises RuntimeFailure."""
        for resource, ids in self._devices.given.get(uid, {}).get(container, {}).items():
            plugin = self._plugins.get(resource)
            if plugin is not None and plugin.options.get("pre_start_required"):
                try:
                    await self._call(plugin, "PreStartContainer", {"devices_ids": list(ids)}, PRE_START_SECONDS)
                except Unavailable as failed:
                    raise runtime.RuntimeFailure(
                        "PreStartHookError", f"device plugin PreStartContainer rpc failed with err: {failed}"
                    ) from failed

    # --- plugins ---

    async def _register(self, request: protobuf.Message) -> protobuf.Message:
        from steersman.serving import remote_calls

        resource, endpoint = request.get("resource_name", ""), request.get("endpoint", "")
        if request.get("version") != VERSION:
            text = f"requested API version {request.get('version')!r} is not supported by kubelet. Supported version is {VERSION!r}"
            raise remote_calls.CallFailed("UNKNOWN", text)
        if not admission.is_extended(resource) or "/" in endpoint or not endpoint:
            raise remote_calls.CallFailed("UNKNOWN", f"the ResourceName {resource!r} is invalid")
        assert self._folder is not None
        self._metrics.count("kubelet_device_plugin_registration_total", resource_name=resource)
        peer = remote_calls.Peer(f"unix:{self._folder / endpoint}", protobuf.load(SCHEMA))
        try:
            options = await peer.call(SERVICE, "GetDevicePluginOptions", {}, OPTIONS_SECONDS)
        except (remote_calls.CallFailed, TimeoutError) as failed:
            await peer.close()
            raise remote_calls.CallFailed(
                "UNKNOWN", f"failed to get device plugin options: {_words(failed)}"
            ) from failed
        if resource in self._following:
            self._following.pop(resource).cancel()
        plugin = self._plugins[resource] = _Plugin(peer, options)
        self._devices.health.setdefault(resource, {})
        self._following[resource] = self._tasks.start(f"devices {resource}", self._follow(resource, plugin))
        return {}

    async def _follow(self, resource: str, plugin: _Plugin) -> None:
        """Until the plugin is gone, or another has taken its place."""
        from steersman.serving import remote_calls

        try:
            async for answer in plugin.peer.follow(SERVICE, "ListAndWatch", {}):
                found = answer.get("devices", [])
                self._devices.told[resource] = {one.get("ID", ""): one.get("health", "") for one in found}
                self._devices.health[resource] = dict(self._devices.told[resource])
                self._devices.nodes[resource] = {
                    one.get("ID", ""): frozenset(int(node.get("ID", 0)) for node in one["topology"].get("nodes", []))
                    for one in found
                    if one.get("topology")
                }
                await self._changed()
        except remote_calls.CallFailed as failed:
            _log.info("device plugin %s: %s", resource, failed)
        finally:
            await plugin.peer.close()
        if self._plugins.get(resource) is not plugin:
            return
        del self._plugins[resource]
        self._devices.health[resource] = dict.fromkeys(self._devices.health[resource], "Unhealthy")
        await self._changed()
        await self._clock.sleep(GONE_SECONDS)
        if resource not in self._plugins:
            self._devices.health[resource] = {}
            await self._changed()

    # --- allocation ---

    async def _allocate(self, pod: Object, near: Near) -> None:
        uid, reusable = objects.uid(pod), dict[str, list[str]]()
        chosen: dict[str, set[str]] = {}
        for wish in devices.wishes(pod, self._devices.health):
            again = reusable.setdefault(wish.resource, [])
            own = chosen.setdefault(wish.resource, set())
            ids = await self._choose(wish, again, own - set(again), near(wish.container))
            answer = await self._ask(wish, ids)
            own |= set(ids)
            reusable[wish.resource] = (
                [one for one in again if one not in ids]
                if wish.lasts
                else [*again, *(one for one in ids if one not in again)]
            )
            self._devices.give(uid, wish.container, wish.resource, ids)
            self._keep(uid, wish.container, wish.resource, answer)

    async def _choose(
        self, wish: Wish, reusable: list[str], taken: set[str], nodes: frozenset[int] | None
    ) -> list[str]:
        """Those on `nodes` first; among more than are needed the plugin may prefer some."""
        must, may = self._devices.candidates(wish, reusable, taken | set(reusable))
        near, others = self._devices.by_nearness(wish.resource, (one for one in may if one not in must), nodes)
        chosen = list(must)
        if wish.count - len(chosen) < len(near):
            others = near
        else:
            chosen += near
        missing = wish.count - len(chosen)
        if missing and missing < len(others):
            preferred = await self._preferred(wish, chosen, others)
            others = [*preferred, *(one for one in others if one not in preferred)]
        return [*chosen, *others[:missing]]

    async def _preferred(self, wish: Wish, must: Sequence[str], others: Sequence[str]) -> list[str]:
        """What the plugin says, if it says anything."""
        plugin = self._plugins.get(wish.resource)
        if plugin is None or not plugin.options.get("get_preferred_allocation_available"):
            return []
        available = [*must, *others]
        request = {"available_deviceIDs": available, "must_include_deviceIDs": must, "allocation_size": wish.count}
        answer = await self._call(plugin, "GetPreferredAllocation", {"container_requests": [request]})
        named = (answer.get("container_responses") or [{}])[0].get("deviceIDs", [])
        return list(dict.fromkeys(one for one in named if one in others))

    async def _ask(self, wish: Wish, ids: list[str]) -> protobuf.Message:
        plugin = self._plugins.get(wish.resource)
        if plugin is None:
            raise Unavailable(f"endpoint not found in cache for a registered resource: {wish.resource}")
        began = self._clock.monotonic()
        answer = await self._call(plugin, "Allocate", {"container_requests": [{"devices_ids": ids}]})
        took = self._clock.monotonic() - began
        self._metrics.observe("kubelet_device_plugin_alloc_duration_seconds", took, resource_name=wish.resource)
        return dict((answer.get("container_responses") or [{}])[0])

    async def _call(
        self, plugin: _Plugin, method: str, request: dict[str, Any], seconds: float | None = None
    ) -> protobuf.Message:
        """Raises Unavailable."""
        from steersman.serving import remote_calls

        try:
            return await plugin.peer.call(SERVICE, method, request, seconds)
        except remote_calls.CallFailed as failed:
            raise Unavailable(_words(failed)) from failed

    def _keep(self, uid: str, container: str, resource: str, answer: protobuf.Message) -> None:
        self._grants.setdefault(uid, {}).setdefault(container, {})[resource] = answer

    def _write_checkpoint(self) -> None:
        if self._folder is None:
            return
        entries = [
            {
                "pod": uid,
                "container": name,
                "resource": resource,
                "devices": ids,
                "answer": self._grants[uid][name][resource],
            }
            for uid, containers in self._devices.given.items()
            for name, own in containers.items()
            for resource, ids in own.items()
        ]
        path = self._folder / CHECKPOINT
        new = path.with_suffix(".new")
        new.write_text(json.dumps({"entries": entries, "resources": list(self._devices.health)}))
        new.replace(path)


def _words(failed: Exception) -> str:
    """As gRPC has them in Go."""
    code, message = getattr(failed, "code", "DeadlineExceeded"), getattr(failed, "message", "context deadline exceeded")
    return f"rpc error: code = {code.title() if code.isupper() else code} desc = {message}"
