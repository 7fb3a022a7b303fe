"""A small CSI driver: volumes are folders below `root`, mounted by bind where it may mount, else copied names.

`python -m tests.csi.driver SOCKET REGISTRY ROOT NODE` runs one beside a real node, with every capability, until it is killed.
"""

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from steersman.containers import syscalls
from steersman.csi import driver as csi
from steersman.csi import sockets
from steersman.kubelet.csi import registration
from steersman.serving import protobuf, remote_calls

NAME = "folders.csi.example.com"
CONTROLLER = (
    "CREATE_DELETE_VOLUME",
    "PUBLISH_UNPUBLISH_VOLUME",
    "EXPAND_VOLUME",
    "CLONE_VOLUME",
    "MODIFY_VOLUME",
    "CREATE_DELETE_SNAPSHOT",
)
NODE = ("STAGE_UNSTAGE_VOLUME", "EXPAND_VOLUME")

Message = dict[str, Any]


class FolderDriver:
    """`calls` are all that came, in order. What is put into `failures` by method is refused once, with that code."""

    def __init__(self, root: Path, node: str, *, mounts: bool = False, node_can: tuple[str, ...] = NODE) -> None:
        self.root = root
        self.node = node
        self.calls: list[tuple[str, Message]] = []
        self.failures: dict[str, str] = {}
        self._mounts = mounts
        self._node_can = node_can
        self._server: Any = None
        self._registrar: Any = None
        self.registered: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    async def start(self, socket: Path, registry: Path | None = None) -> None:
        for folder in (self.root, socket.parent, *((registry,) if registry else ())):
            folder.mkdir(parents=True, exist_ok=True)
        services: dict[str, dict[str, Any]] = {"Identity": {}, "Controller": {}, "Node": {}}
        for service, methods in protobuf.load(csi.SCHEMA).methods.items():
            services[service] = {name: self._handler(name) for name in methods}
        self._addresses = [sockets.Address(socket)]
        self._server = await remote_calls.serve(self._addresses[0].text, protobuf.load(csi.SCHEMA), services)
        if registry is not None:
            info = {"type": "CSIPlugin", "name": NAME, "endpoint": str(socket), "supported_versions": ["1.0.0"]}
            answers = {"GetInfo": _answer(info), "NotifyRegistrationStatus": self._notified}
            schema = protobuf.load(registration.SCHEMA)
            self._addresses.append(sockets.Address(registry / f"{NAME}-reg.sock"))
            self._registrar = await remote_calls.serve(self._addresses[1].text, schema, {"Registration": answers})

    async def stop(self) -> None:
        for server in (self._server, self._registrar):
            if server is not None:
                await server.stop(None)
        for address in self._addresses:
            address.close()

    def called(self, method: str) -> list[Message]:
        return [request for name, request in self.calls if name == method]

    def _handler(self, method: str) -> Any:
        async def handle(request: Message) -> Message:
            self.calls.append((method, request))
            if method in self.failures:
                raise remote_calls.CallFailed(self.failures.pop(method), "on purpose")
            found: Message = getattr(self, f"do_{method}", lambda request: {})(request)
            return found

        return handle

    async def _notified(self, request: Message) -> Message:
        if not self.registered.done():
            self.registered.set_result(request)
        return {}

    def do_ControllerGetCapabilities(self, _: Message) -> Message:  # noqa: N802
        return {"capabilities": [{"rpc": {"type": one}} for one in CONTROLLER]}

    def do_NodeGetCapabilities(self, _: Message) -> Message:  # noqa: N802
        return {"capabilities": [{"rpc": {"type": one}} for one in self._node_can]}

    def do_NodeGetInfo(self, _: Message) -> Message:  # noqa: N802
        segments = {"topology.csi.example.com/node": self.node}
        return {"node_id": f"id-{self.node}", "max_volumes_per_node": 3, "accessible_topology": {"segments": segments}}

    def do_CreateVolume(self, request: Message) -> Message:  # noqa: N802
        source = request.get("volume_content_source") or {}
        if "volume" in source:
            shutil.copytree(self.root / source["volume"]["volume_id"], self.root / request["name"], dirs_exist_ok=True)
        elif "snapshot" in source:
            shutil.copytree(
                self.root / source["snapshot"]["snapshot_id"], self.root / request["name"], dirs_exist_ok=True
            )
        (self.root / request["name"]).mkdir(exist_ok=True)
        found = {
            "volume_id": request["name"],
            "capacity_bytes": request["capacity_range"]["required_bytes"],
            "volume_context": {"made": "here"},
            **({"content_source": source} if source else {}),
        }
        wanted = (request.get("accessibility_requirements") or {}).get("preferred")
        return {"volume": {**found, **({"accessible_topology": wanted} if wanted else {})}}

    def do_CreateSnapshot(self, request: Message) -> Message:  # noqa: N802
        shutil.copytree(self.root / request["source_volume_id"], self.root / request["name"], dirs_exist_ok=True)
        found = {"snapshot_id": request["name"], "size_bytes": 1 << 30, "creation_time": {"seconds": 1_700_000_000}}
        return {"snapshot": {**found, "ready_to_use": True}}

    def do_DeleteSnapshot(self, request: Message) -> Message:  # noqa: N802
        shutil.rmtree(self.root / request["snapshot_id"], ignore_errors=True)
        return {}

    def do_DeleteVolume(self, request: Message) -> Message:  # noqa: N802
        shutil.rmtree(self.root / request["volume_id"], ignore_errors=True)
        return {}

    def do_ControllerPublishVolume(self, request: Message) -> Message:  # noqa: N802
        return {"publish_context": {"node": request["node_id"]}}

    def do_ControllerExpandVolume(self, request: Message) -> Message:  # noqa: N802
        return {"capacity_bytes": request["capacity_range"]["required_bytes"], "node_expansion_required": True}

    def do_NodeStageVolume(self, request: Message) -> Message:  # noqa: N802
        self._mount(self.root / request["volume_id"], Path(request["staging_target_path"]))
        return {}

    def do_NodeUnstageVolume(self, request: Message) -> Message:  # noqa: N802
        self._unmount(Path(request["staging_target_path"]))
        return {}

    def do_NodePublishVolume(self, request: Message) -> Message:  # noqa: N802
        source = self.root / request["volume_id"]
        source.mkdir(exist_ok=True)  # of an inline volume: made with its pod
        target = Path(request["target_path"])
        staged = request.get("staging_target_path")
        self._mount(Path(staged) if staged else source, target)
        if not staged:
            (source / "pod").write_text(request["volume_context"].get("csi.storage.k8s.io/pod.name", ""))
        return {}

    def do_NodeUnpublishVolume(self, request: Message) -> Message:  # noqa: N802
        self._unmount(Path(request["target_path"]))
        return {}

    def _mount(self, source: Path, target: Path) -> None:
        target.mkdir(parents=True, exist_ok=True)
        if self._mounts and not _is_mounted(target):
            syscalls.mount(str(source), str(target), None, syscalls.MS_BIND)

    def _unmount(self, target: Path) -> None:
        if self._mounts and _is_mounted(target):
            syscalls.unmount(str(target))
        if target.exists():
            target.rmdir()


def _is_mounted(target: Path) -> bool:
    """`Path.is_mount` sees only other devices."""
    return f" {target} " in Path("/proc/self/mountinfo").read_text()


def _answer(message: Message) -> Any:
    async def handle(request: Message) -> Message:
        return message

    return handle


async def _main(socket: Path, registry: Path, root: Path, node: str) -> None:
    driver = FolderDriver(root, node, mounts=os.geteuid() == 0)
    await driver.start(socket, registry)
    print("serving", flush=True)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    first, second, third, fourth = sys.argv[1:]
    asyncio.run(_main(Path(first), Path(second), Path(third), fourth))
