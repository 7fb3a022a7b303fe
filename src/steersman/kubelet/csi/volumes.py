"""CSI volumes of this node's pods: attached (waited for), staged once per node, published once per pod; and undone again.

Keeps true: what was published is unpublished before its folder goes; a volume is unstaged when no pod here has it.
Reads: CSIDriver, VolumeAttachment, Secrets, service account tokens.  Writes: records beside the volumes (`records`).
Leaves to others: attaching (controllers/attach_detach), growing the volume itself (the driver's resizer).
Source: upstream's pkg/volume/csi, whose texts these are.
"""

import asyncio
import json
import logging
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from steersman.aio.clock import Clock
from steersman.api import kinds, volumes
from steersman.api.kind import Kind
from steersman.client.client import Client, Unreachable
from steersman.csi import driver as csi
from steersman.csi import naming, resizing
from steersman.csi.driver import Driver, DriverError
from steersman.kubelet import references as refs
from steersman.kubelet.csi import records
from steersman.kubelet.csi.drivers import Drivers
from steersman.kubelet.csi.records import Record
from steersman.kubelet.options import Options
from steersman.kubelet.volumes import ownership
from steersman.kubelet.volumes.volume import Context, MountError, UnavailableError
from steersman.meta import conditions, objects, times
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object
from steersman.serving import protobuf

_log = logging.getLogger(__name__)

ATTACH_SECONDS_MAX = 30.0  # within one try; the pod's next try goes on waiting
ATTACH_LOOK_SECONDS = 0.3
SETTLED_SECONDS = 3.0  # a running driver's socket is found within two looks
TOKEN_SECONDS = 3600


class Recorder(Protocol):
    def event(self, obj: Object, type: str, reason: str, message: str) -> None: ...  # noqa: A002


class CsiVolumes:
    """`changed` is awaited when other volumes are in use than before: the Node says so before they are mounted."""

    def __init__(
        self,
        options: Options,
        drivers: Drivers,
        client: Client,
        clock: Clock,
        recorder: Recorder,
        changed: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._options = options
        self._drivers = drivers
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._changed = changed
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self._settled_at = clock.monotonic() + SETTLED_SECONDS

    def in_use(self) -> list[str]:
        """What attachable volumes this node has or is about to have: `volumesInUse` of the Node."""
        return sorted({one.unique_name for one in records.of_node(self._options.pods_dir) if one.attached})

    # --- up ---

    async def set_up(self, volume: Object, context: Context, *, read_only: bool) -> Path:
        """Of a PersistentVolume; idempotent. A folder, or a device. Raises MountError, OSError, references.Unavailable."""
        source, modes = volume["spec"]["csi"], volumes.access_modes(volume)
        name, handle = source["driver"], source["volumeHandle"]
        driver = await self._registered(name)
        about = await context.references.get("CSIDriver", "", name)
        attached = bool(((about or {}).get("spec") or {}).get("attachRequired", True))
        record = Record(
            context.folder("csi", objects.name(volume)), name, handle, objects.name(volume), attached=attached
        )
        await self._note(record)
        publish_context = await self._attachment(record, context) if attached else {}
        capability = await self._capability(driver, volume, context)
        request = {
            "volume_id": handle,
            "publish_context": publish_context,
            "volume_capability": capability,
            "volume_context": source.get("volumeAttributes") or {},
        }
        staged = ""
        if "STAGE_UNSTAGE_VOLUME" in await driver.node_can():
            secrets = await _secrets(source.get("nodeStageSecretRef"), context)
            try:
                staged = await self._stage(driver, request, secrets)
            except OSError as failure:
                text = f'MountVolume.MountDevice failed for volume "{objects.name(volume)}" : {failure}'
                raise UnavailableError(text) from failure
        secrets = await _secrets(source.get("nodePublishSecretRef"), context)
        request["staging_target_path"] = staged
        read_only = read_only or bool(source.get("readOnly"))
        await self._publish(driver, record, request, secrets, about, context, read_only=read_only)
        by_driver = (capability.get("mount") or {}).get("volume_mount_group")
        is_folder = volumes.mode_of(volume) != "Block" and context.fs_group is not None and not by_driver
        if is_folder and _wants_group(about, source, modes, read_only=read_only):
            await self._give(record.target, context)
        return record.target

    async def set_up_inline(self, name: str, source: Object, context: Context) -> Path:
        """Of a pod that names the driver itself. The driver has to say that it can do this."""
        driver = await self._registered(source["driver"])
        about = await context.references.get("CSIDriver", "", driver.name)
        if "Ephemeral" not in (((about or {}).get("spec") or {}).get("volumeLifecycleModes") or ()):
            raise MountError(
                f"kubernetes.io/csi: mounter.SetUpAt failed to check volume lifecycle mode: volume mode "
                f'"Ephemeral" not supported by driver {driver.name} (no CSIDriver object)'
                if about is None
                else "kubernetes.io/csi: mounter.SetUpAt failed to check volume lifecycle mode: volume mode "
                f'"Ephemeral" not supported by driver {driver.name} (only supports ["Persistent"])'
            )
        handle = _inline_handle(objects.uid(context.pod), name)
        record = Record(context.folder("csi", name), driver.name, handle, name, ephemeral=True)
        await self._note(record)
        reference = source.get("nodePublishSecretRef")
        secrets = await _secrets({**reference, "namespace": context.namespace} if reference else None, context)
        request = {
            "volume_id": handle,
            "volume_capability": csi.capability(["ReadWriteOnce"], "Filesystem", source.get("fsType") or "", []),
            "volume_context": source.get("volumeAttributes") or {},
        }
        read_only = bool(source.get("readOnly"))
        await self._publish(driver, record, request, secrets, about, context, read_only=read_only)
        if _wants_group(about, source, ["ReadWriteOnce"], read_only=read_only) and context.fs_group is not None:
            await self._give(record.target, context)
        return record.target

    async def _note(self, record: Record) -> None:
        """On disk, and on the Node, before anything is done: whoever comes later knows what to undo."""
        before = self.in_use()
        record.write()
        if self.in_use() != before and self._changed is not None:
            await self._changed()

    async def _attachment(self, record: Record, context: Context) -> dict[str, str]:
        """What the attacher says of the volume on this node. Raises MountError when it is not attached in time."""
        name = naming.attachment(record.handle, record.driver, context.node_name)
        deadline = self._clock.monotonic() + ATTACH_SECONDS_MAX
        while True:
            found = await context.references.find("VolumeAttachment", "", name)
            status = (found or {}).get("status") or {}
            if found is not None and objects.is_terminating(found):
                raise MountError(f"volume attachment is being deleted: {name}")
            if status.get("attached"):
                return dict(status.get("attachmentMetadata") or {})
            error = (status.get("attachError") or {}).get("message")
            if error or self._clock.monotonic() > deadline:
                raise MountError(
                    error or "timed out waiting for external-attacher of the CSI driver to attach the volume"
                )
            await self._clock.sleep(ATTACH_LOOK_SECONDS)

    async def _stage(self, driver: Driver, request: protobuf.Message, secrets: dict[str, str]) -> str:
        folder = records.staging_folder(self._options.data_dir, driver.name, request["volume_id"])
        async with self._lock(driver.name, request["volume_id"]):
            target = folder / "globalmount"
            target.mkdir(parents=True, exist_ok=True)
            said = {"driverName": driver.name, "volumeHandle": request["volume_id"]}
            (folder / records.FILE).write_text(json.dumps(said))
            path = self._drivers.path_for(driver.name, target)
            await driver.call("Node", "NodeStageVolume", **request, staging_target_path=path, secrets=secrets)
            return path

    async def _publish(
        self,
        driver: Driver,
        record: Record,
        request: protobuf.Message,
        secrets: dict[str, str],
        about: Object | None,
        context: Context,
        *,
        read_only: bool,
    ) -> None:
        said = {**request["volume_context"], **_pod_info(about, record, context)}
        tokens = await _tokens(about, context)
        if tokens and ((about or {}).get("spec") or {}).get("serviceAccountTokenInSecrets"):
            secrets = {**secrets, **tokens}
        else:
            said |= tokens
        wanted = {**request, "volume_context": said, "secrets": secrets, "readonly": read_only}
        path = self._drivers.path_for(driver.name, record.target)
        async with self._lock(driver.name, record.handle):
            await driver.call("Node", "NodePublishVolume", **wanted, target_path=path)

    async def _give(self, target: Path, context: Context) -> None:
        group, policy = context.fs_group or 0, context.changes_on_mismatch_only
        await asyncio.to_thread(lambda: ownership.give(target, group, on_mismatch_only=policy))

    async def _capability(self, driver: Driver, volume: Object, context: Context) -> protobuf.Message:
        can, source = await driver.node_can(), volume["spec"]["csi"]
        group = str(context.fs_group) if context.fs_group is not None and "VOLUME_MOUNT_GROUP" in can else ""
        return csi.capability(
            volumes.access_modes(volume),
            volumes.mode_of(volume),
            source.get("fsType") or "",
            list(volume["spec"].get("mountOptions") or ()),
            group,
            splits="SINGLE_NODE_MULTI_WRITER" in can,
        )

    # --- grown, and published again ---

    async def refresh(self, claim: Object, volume: Object, context: Context, *, read_only: bool) -> None:
        """What may have come since it was set up: more room; for drivers that want it, a new publication."""
        await self.grow(claim, volume, context)
        about = await context.references.get("CSIDriver", "", volume["spec"]["csi"]["driver"])
        if ((about or {}).get("spec") or {}).get("requiresRepublish"):
            await self.set_up(volume, context, read_only=read_only)

    async def grow(self, claim: Object, volume: Object, context: Context) -> None:
        """The file system on the node, after the volume itself has grown. Raises DriverError, StatusError, Unreachable."""
        if not conditions.is_true(claim, "FileSystemResizePending"):
            return
        source, name = volume["spec"]["csi"], objects.name(volume)
        record = Record(context.folder("csi", name), source["driver"], source["volumeHandle"], name)
        claim = await self._now(kinds.PERSISTENT_VOLUME_CLAIM, claim)
        volume = await self._now(kinds.PERSISTENT_VOLUME, volume)
        if not conditions.is_true(claim, "FileSystemResizePending"):
            return
        claim = await self._tell(claim, resizing.on_node(claim))
        await self._expand(record, volumes.capacity_bytes(volume))
        await self._tell(claim, resizing.finished(claim, volume["spec"]["capacity"]["storage"]))
        text = f'MountVolume.NodeExpandVolume succeeded for volume "{name}" {context.node_name}'
        self._recorder.event(context.pod, "Normal", "FileSystemResizeSuccessful", text)

    async def _now(self, kind: Kind, obj: Object) -> Object:
        """As it is now, not a while ago: what is told of it replaces all that is told."""
        try:
            return await self._client.get(kind, objects.name(obj), objects.namespace(obj))
        except (StatusError, Unreachable) as failure:
            raise MountError(f"the {kind.kind} cannot be read: {failure}") from failure

    async def _tell(self, claim: Object, status: Object) -> Object:
        kind, space = kinds.PERSISTENT_VOLUME_CLAIM, objects.namespace(claim)
        body = {"metadata": {"resourceVersion": objects.resource_version(claim)}, "status": status}
        try:
            return await self._client.patch(kind, objects.name(claim), space, body, subresource="status")
        except (StatusError, Unreachable) as failure:
            raise MountError(f"how far the claim has grown cannot be told: {failure}") from failure

    async def _expand(self, record: Record, size_bytes: int) -> None:
        driver = self._driver(record.driver)
        if "EXPAND_VOLUME" not in await driver.node_can():
            return
        folder = records.staging_folder(self._options.data_dir, record.driver, record.handle) / "globalmount"
        await driver.call(
            "Node",
            "NodeExpandVolume",
            volume_id=record.handle,
            volume_path=self._drivers.path_for(record.driver, record.target),
            staging_target_path=self._drivers.path_for(record.driver, folder) if folder.exists() else "",
            capacity_range={"required_bytes": size_bytes},
        )

    # --- down ---

    async def tear_down(self, pod_folder: Path) -> None:
        """All of one pod. Raises OSError: what is still published must not be removed."""
        found = records.of_pod(pod_folder)
        for record in found:
            await self._unpublish(record)
        if found and self._changed is not None:
            await self._changed()

    async def _unpublish(self, record: Record) -> None:
        driver = self._driver_of(record)
        async with self._lock(record.driver, record.handle):
            path = self._drivers.path_for(record.driver, record.target)
            await driver.call("Node", "NodeUnpublishVolume", volume_id=record.handle, target_path=path)
            _remove_empty(record.target)
            shutil.rmtree(record.folder)
            others = any(
                (one.driver, one.handle) == (record.driver, record.handle)
                for one in records.of_node(self._options.pods_dir)
            )
            folder = records.staging_folder(self._options.data_dir, record.driver, record.handle)
            if not others and folder.exists():
                staged = folder / "globalmount"
                path = self._drivers.path_for(record.driver, staged)
                request = {"volume_id": record.handle, "staging_target_path": path}
                await driver.call("Node", "NodeUnstageVolume", **request)
                _remove_empty(staged)
                shutil.rmtree(folder)

    async def _registered(self, name: str) -> Driver:
        """When the kubelet has just begun, drivers that run already are about to be found again."""
        while self._drivers.get(name) is None and self._clock.monotonic() < self._settled_at:
            await self._clock.sleep(ATTACH_LOOK_SECONDS)
        return self._driver(name)

    def _driver(self, name: str) -> Driver:
        found = self._drivers.get(name)
        if found is None:
            text = f"driver name {name} not found in the list of registered CSI drivers"
            raise MountError(f"kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: {text}")
        return found

    def _driver_of(self, record: Record) -> Driver:
        found = self._drivers.get(record.driver)
        if found is None:
            raise DriverError("UNAVAILABLE", f"driver {record.driver} is not registered: {record.name} stays mounted")
        return found

    def _lock(self, driver: str, handle: str) -> asyncio.Lock:
        return self._locks.setdefault((driver, handle), asyncio.Lock())


def _inline_handle(pod_uid: str, name: str) -> str:
    """Long enough to be nobody else's. The rule is upstream's."""
    return naming.attachment(pod_uid, name, "")


def _pod_info(about: Object | None, record: Record, context: Context) -> dict[str, str]:
    if not ((about or {}).get("spec") or {}).get("podInfoOnMount"):
        return {}
    pod = context.pod
    return {
        "csi.storage.k8s.io/pod.name": objects.name(pod),
        "csi.storage.k8s.io/pod.namespace": objects.namespace(pod),
        "csi.storage.k8s.io/pod.uid": objects.uid(pod),
        "csi.storage.k8s.io/serviceAccount.name": pod["spec"].get("serviceAccountName") or "default",
        "csi.storage.k8s.io/ephemeral": "true" if record.ephemeral else "false",
    }


async def _tokens(about: Object | None, context: Context) -> dict[str, str]:
    wanted = ((about or {}).get("spec") or {}).get("tokenRequests") or ()
    found = {}
    for one in wanted:
        audience = one.get("audience", "")
        token = await context.references.token(
            context.pod, audience, int(one.get("expirationSeconds") or TOKEN_SECONDS)
        )
        found[audience] = {"token": token.text, "expirationTimestamp": times.format_seconds(token.expires_at)}
    return {"csi.storage.k8s.io/serviceAccount.tokens": json.dumps(found)} if found else {}


async def _secrets(reference: Object | None, context: Context) -> dict[str, str]:
    if not reference:
        return {}
    found = await context.references.get("Secret", reference.get("namespace", ""), reference["name"])
    if found is None:
        raise MountError(
            f"fetching NodePublishSecretRef {reference.get('namespace', '')}/{reference['name']} failed: not found"
        )
    return refs.text_data(found)


def _wants_group(about: Object | None, source: Object, modes: list[str], *, read_only: bool) -> bool:
    """fsGroupPolicy: always, never, or for one node's volumes with a file system that knows groups."""
    policy = ((about or {}).get("spec") or {}).get("fsGroupPolicy") or "ReadWriteOnceWithFSType"
    if policy == "ReadWriteOnceWithFSType":
        return bool(source.get("fsType")) and modes == ["ReadWriteOnce"] and not read_only
    return policy == "File" and not read_only


def _remove_empty(path: Path) -> None:
    """A folder that is still full is still mounted: better to fail than to remove somebody's data."""
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
