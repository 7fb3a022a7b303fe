"""Drivers make themselves known by a socket in the folder `plugins_registry`; they are gone when it is.

Keeps true: the CSINode of this node names the CSI drivers that can be called here, the Node has their topology as labels; drivers
of devices (dynamic resource allocation) are known to `dra`.
Reads: that folder.  Writes: CSINode, the Node's labels and annotations.
Source: KEP-595 (plugin watcher), "Deploying a CSI driver on Kubernetes".
"""

import json
import logging
from pathlib import Path

from steersman.aio.clock import Clock
from steersman.aio.tasks import turn
from steersman.api import kinds
from steersman.client.client import Client, Unreachable
from steersman.csi import driver as csi
from steersman.csi import sockets
from steersman.csi.driver import DriverError
from steersman.kubelet.csi.drivers import Drivers
from steersman.kubelet.csi.volume_counts import VolumeCounts
from steersman.kubelet.dra.plugins import PluginError, Plugins
from steersman.meta import objects, owners
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object
from steersman.serving import protobuf

_log = logging.getLogger(__name__)

SCHEMA = Path(csi.__file__).with_name("plugin_registration.proto")
LOOK_SECONDS = 1.0  # between two looks into the folder; a driver is new once in its life
TRIES_SECONDS = 10.0  # before a socket that could not be registered is tried again
CALL_SECONDS = 5.0
NODE_ID = "csi.volume.kubernetes.io/nodeid"  # annotation of the Node, for tools older than CSINode


class Registration:
    def __init__(
        self, node_name: str, folder: Path, drivers: Drivers, plugins: Plugins, client: Client, clock: Clock
    ) -> None:
        self._node_name = node_name
        self._folder = folder
        self._drivers = drivers
        self._plugins = plugins
        self._client = client
        self._clock = clock
        self._registered: dict[Path, tuple[int, str]] = {}  # socket → (inode, driver)
        self._failed: dict[Path, float] = {}
        self._counts = VolumeCounts(drivers, client, clock, self._show)

    async def run(self) -> None:
        """Until cancelled."""
        self._folder.mkdir(parents=True, exist_ok=True)
        await self._ensure_csi_node()
        while True:
            await self._look()
            await self._counts.look()
            await self._clock.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        there = {path: path.stat().st_ino for path in self._folder.iterdir() if path.is_socket()}
        for path, (inode, name) in list(self._registered.items()):
            if there.get(path) != inode:
                del self._registered[path]
                await self._unregister(name)
        now = self._clock.monotonic()
        for path, inode in there.items():
            if path in self._registered or now - self._failed.get(path, -TRIES_SECONDS) < TRIES_SECONDS:
                continue
            try:
                name = await self._register(path)
            except (DriverError, StatusError, Unreachable, TimeoutError) as failure:
                _log.warning("plugin at %s cannot be registered: %s", path, failure)
                self._failed[path] = now
            else:
                self._failed.pop(path, None)
                if name:
                    self._registered[path] = inode, name

    async def _register(self, path: Path) -> str:
        """The driver's name; empty for plugins that are no drivers. Raises DriverError, StatusError, Unreachable."""
        from steersman.serving import remote_calls

        address = sockets.Address(path)
        peer = remote_calls.Peer(address.text, protobuf.load(SCHEMA))
        try:
            info = await peer.call("Registration", "GetInfo", {}, CALL_SECONDS)
            if info.get("type") not in ("CSIPlugin", "DRAPlugin"):
                return ""
            problem = ""
            try:
                if info["type"] == "DRAPlugin":
                    self._plugins.add(
                        info["name"], Path(info.get("endpoint") or path), info.get("supported_versions", [])
                    )
                else:
                    await self._admit(info)
            except (DriverError, PluginError, StatusError, Unreachable) as failure:
                await self._drivers.remove(info.get("name", ""))
                problem = f"RegisterPlugin error -- plugin registration failed with err: {failure}"
            told = {"plugin_registered": not problem, "error": problem}
            await peer.call("Registration", "NotifyRegistrationStatus", told, CALL_SECONDS)
        except remote_calls.CallFailed as failed:
            raise DriverError(failed.code, failed.message) from failed
        finally:
            await peer.close()
            address.close()
        if problem:
            raise DriverError("INTERNAL", problem)
        return str(info["name"])

    async def _admit(self, info: protobuf.Message) -> None:
        name, versions = info.get("name", ""), info.get("supported_versions", [])
        if not any(version.lstrip("v").startswith("1.") or version in ("1", "v1") for version in versions):
            text = f"none of the versions specified {versions} are supported"
            raise DriverError("INVALID_ARGUMENT", text)
        await self._drivers.remove(name)
        found = self._drivers.add(name, info.get("endpoint", ""))
        told = await found.call("Node", "NodeGetInfo")
        await self._show(name, told)
        _log.info("driver %s is registered", name)

    async def _unregister(self, name: str) -> None:
        self._plugins.remove(name)
        if self._drivers.get(name) is None:
            return
        await self._drivers.remove(name)
        _log.info("driver %s is gone", name)
        try:
            await self._change_csi_node(name, None)
            await self._patch_node({"annotations": {csi.ENDPOINTS: json.dumps(self._drivers.sockets())}})
        except (StatusError, Unreachable) as failure:
            _log.warning("driver %s stays in CSINode for now: %s", name, failure)

    async def _show(self, name: str, told: protobuf.Message) -> None:
        segments: dict[str, str] = (told.get("accessible_topology") or {}).get("segments") or {}
        entry: Object = {"name": name, "nodeID": told.get("node_id", ""), "topologyKeys": sorted(segments) or None}
        if told.get("max_volumes_per_node"):
            entry["allocatable"] = {"count": int(told["max_volumes_per_node"])}
        annotations = {
            NODE_ID: json.dumps({name: entry["nodeID"]}),
            csi.ENDPOINTS: json.dumps(self._drivers.sockets()),
        }
        await self._patch_node({"labels": segments, "annotations": annotations})
        await self._change_csi_node(name, {key: value for key, value in entry.items() if value is not None})

    async def _patch_node(self, meta: Object) -> None:
        await self._client.patch(kinds.NODE, self._node_name, "", {"metadata": meta})

    async def _change_csi_node(self, name: str, entry: Object | None) -> None:
        """Again where somebody else wrote in between: other drivers' entries must not be lost."""
        for _ in range(5):
            csi_node = await self._ensure_csi_node()
            others = [one for one in (csi_node.get("spec") or {}).get("drivers") or () if one["name"] != name]
            wanted = {**csi_node, "spec": {"drivers": [*others, *([entry] if entry else [])]}}
            try:
                await self._client.update(kinds.CSI_NODE, wanted)
                return
            except StatusError as refused:
                if refused.reason != "Conflict":
                    raise
        raise Unreachable(f"CSINode {self._node_name} changes all the time")

    async def _ensure_csi_node(self) -> Object:
        while True:
            try:
                return await self._client.get(kinds.CSI_NODE, self._node_name)
            except StatusError as refused:
                if refused.code != 404:
                    raise
            node = await self._client.get(kinds.NODE, self._node_name)
            owner = owners.make({**node, "apiVersion": "v1", "kind": "Node"}, controller=False, block=False)
            meta = {"name": objects.name(node), "ownerReferences": [owner]}
            made = {"apiVersion": "storage.k8s.io/v1", "kind": "CSINode", "metadata": meta, "spec": {"drivers": []}}
            try:
                return await self._client.create(kinds.CSI_NODE, made)
            except StatusError as refused:
                if refused.reason != "AlreadyExists":
                    raise
            await turn()
