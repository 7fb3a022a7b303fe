"""All volumes of a pod: set up before its containers, kept fresh, and cleared away after them."""

import asyncio
import dataclasses
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from steersman.aio.clock import Clock
from steersman.aio.patience import Patience
from steersman.api import volumes
from steersman.containers import runtime, syscalls, trees
from steersman.kubelet import environment, references
from steersman.kubelet.csi import records
from steersman.kubelet.csi.volumes import CsiVolumes
from steersman.kubelet.options import Options
from steersman.kubelet.references import References
from steersman.kubelet.volumes import (
    claim,
    config_map,
    csi_inline,
    downward_api,
    empty_dir,
    host_path,
    nfs,
    projected,
    secret,
    subpath,
    tmpfs,
)
from steersman.kubelet.volumes.volume import ANSWER_SECONDS, Certificates, Context, MountError, UnavailableError
from steersman.meta import objects
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

SUB_PATHS = "volume-subpaths"
CSI_REFRESH_SECONDS = 8.0
ENV_FILE_MOST_BYTES = 64 * 1024  # upstream's limit

SetUp = Callable[[str, Object, Context], Awaitable[Path]]

TYPES: dict[str, tuple[SetUp, bool]] = {
    "emptyDir": (empty_dir.set_up, empty_dir.REFRESHED),
    "hostPath": (host_path.set_up, host_path.REFRESHED),
    "configMap": (config_map.set_up, config_map.REFRESHED),
    "secret": (secret.set_up, secret.REFRESHED),
    "downwardAPI": (downward_api.set_up, downward_api.REFRESHED),
    "projected": (projected.set_up, projected.REFRESHED),
    "persistentVolumeClaim": (claim.set_up, claim.REFRESHED),
    "ephemeral": (claim.set_up, claim.REFRESHED),
    "nfs": (nfs.set_up, nfs.REFRESHED),
    "csi": (csi_inline.set_up, csi_inline.REFRESHED),
}
WRITTEN_HERE = {"configMap", "secret", "downwardAPI", "projected"}
_PROPAGATION = {"HostToContainer": "rslave", "Bidirectional": "rshared"}


@dataclasses.dataclass(slots=True)
class Volumes:
    """Of one node. Paths of set-up volumes are kept by pod uid. `node` answers with the Node as last seen."""

    options: Options
    references: References
    clock: Clock
    allocatable: dict[str, str]
    node: Callable[[], Object] = dict
    csi: CsiVolumes | None = None
    certificates: Certificates | None = None
    _paths: dict[str, dict[str, Path]] = dataclasses.field(default_factory=dict)
    _patience: Patience = dataclasses.field(default_factory=Patience)

    async def mount(self, pod: Object) -> None:
        """Those that some container uses. Idempotent. Raises MountError with upstream's text for the event FailedMount."""
        await self._set_up(pod, only_refreshed=False)

    async def mount_for(self, pod: Object, container: Object) -> None:
        """What this container is the first to use, as one that came later may be. Raises MountError."""
        there = self._paths.get(objects.uid(pod), {})
        uses = [one["name"] for field in ("volumeMounts", "volumeDevices") for one in container.get(field) or ()]
        listed = {one["name"]: _type_of(one) for one in pod["spec"].get("volumes") or ()}
        if any(name not in there and listed.get(name, "image") != "image" for name in uses):
            await self.mount(pod)

    async def refresh(self, pod: Object) -> None:
        """Write again what may have changed: ConfigMaps, Secrets, labels, tokens. Raises MountError."""
        if objects.uid(pod) in self._paths:
            await self._set_up(pod, only_refreshed=True)

    def has_refreshed(self, pod: Object) -> bool:
        listed = volumes.used(pod)
        if any(TYPES.get(_type_of(one), (None, False))[1] for one in listed):
            return True
        return any(volumes.claim_name(pod, one) for one in listed) and self._has_csi(objects.uid(pod))

    def refresh_seconds(self, pod: Object) -> float:
        """A claim that grows should not wait long; nothing tells of it, unlike of ConfigMaps and Secrets."""
        usual = self.options.volume_refresh_seconds
        return min(usual, CSI_REFRESH_SECONDS) if self._has_csi(objects.uid(pod)) else usual

    def _has_csi(self, uid: str) -> bool:
        return bool(records.of_pod(self.options.pods_dir / uid))

    def paths_of(self, uid: str) -> dict[str, Path]:
        """Where the pod's volumes lie, by name."""
        return self._paths.get(uid, {})

    def read_file(self, uid: str, volume: str, path: str) -> str | None:
        """A small file that a container left in a volume; links in it lead nowhere else. None: there is none."""
        folder = self._paths.get(uid, {}).get(volume)
        if folder is None:
            return None
        root = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        try:
            with open(
                syscalls.open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK), encoding="utf-8", errors="replace"
            ) as file:
                return file.read(ENV_FILE_MOST_BYTES)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        finally:
            os.close(root)

    async def unmount(self, uid: str) -> None:
        """Clear away everything of the pod but its logs."""
        self._paths.pop(uid, None)
        self.references.forget(uid)
        if self.certificates is not None:
            self.certificates.forget(uid)
        folder = self.options.pods_dir / uid
        tmpfs.unmount_below(folder / SUB_PATHS)  # first: a volume with a part of it mounted elsewhere is busy
        if self.csi is not None:
            await self.csi.tear_down(folder)
        tmpfs.unmount_below(folder)
        if folder.exists():
            await asyncio.to_thread(trees.remove, folder)

    def leftovers(self, known: set[str]) -> list[str]:
        """Uids of pods that have files here and are not known any more."""
        if not self.options.pods_dir.exists():
            return []
        return [entry.name for entry in self.options.pods_dir.iterdir() if entry.name not in known]

    async def mounts_of(
        self,
        pod: Object,
        container: Object,
        variables: dict[str, str],
        images: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[runtime.Mount, ...]:
        """`images`: ids of images that are volumes, by volume. Raises MountError, environment.ConfigError."""
        paths = self._paths.get(objects.uid(pod), {})
        found: list[runtime.Mount] = []
        for index, mount in enumerate(container.get("volumeMounts") or []):
            if mount["name"] in images:
                found.append(_image_mount(mount, images[mount["name"]], variables))
            else:
                made = await self._mount_of(pod, container, index, mount, paths, variables)
                found += (made, *host_path.beside(made, self.options))
        return tuple(found)

    def devices_of(self, pod: Object, container: Object) -> tuple[runtime.Device, ...]:
        """The volumes that the container wants as they are. Raises environment.ConfigError."""
        paths, found = self._paths.get(objects.uid(pod), {}), []
        for device in container.get("volumeDevices") or []:
            if device["name"] not in paths:
                text = f'cannot find volume "{device["name"]}" to pass into container "{container["name"]}"'
                raise environment.ConfigError(text)
            permissions = "r" if _is_read_only(pod, device["name"]) else "mrw"
            found.append(runtime.Device(str(paths[device["name"]]), device["devicePath"], permissions))
        return tuple(found)

    async def _set_up(self, pod: Object, *, only_refreshed: bool) -> None:
        context = self._context(pod)
        paths: dict[str, Path] = {}
        for volume in volumes.used(pod):
            if _type_of(volume) == "image":
                continue  # pulled with the images of the containers that mount it
            found = TYPES.get(_type_of(volume))
            name = volume["name"]
            if found is None:
                raise MountError(
                    f'MountVolume.SetUp failed for volume "{name}" : no volume plugin matched {_type_of(volume)}'
                )
            set_up, refreshed = found
            if only_refreshed and not refreshed:
                if volumes.claim_name(pod, volume) and self._has_csi(objects.uid(pod)):
                    await claim.refresh(name, context)
                continue
            try:
                paths[name] = await set_up(name, volume[_type_of(volume)] or {}, context)
            except UnavailableError:
                raise
            except (MountError, references.Unavailable, OSError) as failure:
                raise MountError(f'MountVolume.SetUp failed for volume "{name}" : {failure}') from failure
        self._paths.setdefault(objects.uid(pod), {}).update(paths)

    def _context(self, pod: Object) -> Context:
        meta = self.node().get("metadata") or {}
        return Context(
            pod,
            self.options,
            self.references,
            self.allocatable,
            self.clock.now(),
            meta.get("name", ""),
            meta.get("labels") or {},
            self.csi,
            self._patience,
            self.certificates,
        )

    async def _mount_of(
        self,
        pod: Object,
        container: Object,
        index: int,
        mount: Object,
        paths: dict[str, Path],
        variables: dict[str, str],
    ) -> runtime.Mount:
        name = mount["name"]
        path = paths.get(name)
        if path is None:
            raise environment.ConfigError(f'cannot find volume "{name}" to mount into container "{container["name"]}"')
        sub_path = _sub_path(mount, variables)
        if sub_path:
            folder = self.options.pods_dir / objects.uid(pod) / SUB_PATHS / name / container["name"]
            whose = f'volumeMount "{name}" of container "{container["name"]}"'
            path = await self._part(path, sub_path, folder / str(index), whose)
        recursive = mount.get("recursiveReadOnly") in ("Enabled", "IfPossible")
        return runtime.Mount(
            container_path=_absolute(mount["mountPath"]),
            host_path=str(path),
            read_only=bool(mount.get("readOnly")) or _is_read_only(pod, name),
            recursive_read_only=recursive,
            propagation=_PROPAGATION.get(mount.get("mountPropagation") or "", "private"),
        )

    async def _part(self, volume: Path, sub_path: str, target: Path, whose: str) -> Path:
        """Why it cannot be had is logged only: it could tell of the host's files. Raises MountError."""
        if sub_path.startswith("/"):
            raise MountError(f"error SubPath `{sub_path}` must not be an absolute path")
        if ".." in sub_path.split("/"):
            raise MountError(f"unable to provision SubPath `{sub_path}`: must not contain '..'")
        try:
            return await self._patience.wait(target, lambda: subpath.bind(volume, sub_path, target), ANSWER_SECONDS)
        except TimeoutError as hung:
            raise MountError(f"failed to prepare subPath for {whose}: timed out waiting for the condition") from hung
        except OSError as failure:
            _log.info("sub path %r of %s for %s: %s", sub_path, volume, whose, failure)
            what = "create subPath directory" if isinstance(failure, subpath.NotMade) else "prepare subPath"
            raise MountError(f"failed to {what} for {whose}") from failure


def _type_of(volume: Object) -> str:
    """The field that says what the volume is; upstream's API makes an emptyDir of a volume without any."""
    return next((key for key in volume if key != "name"), "emptyDir")


def images_of(pod: Object, container: Object) -> dict[str, Object]:
    """The image volumes that the container mounts, by name: `reference` and `pullPolicy` of each."""
    mounted = {mount["name"] for mount in container.get("volumeMounts") or ()}
    listed = pod["spec"].get("volumes") or ()
    return {one["name"]: one["image"] or {} for one in listed if one["name"] in mounted and "image" in one}


def _image_mount(mount: Object, image: str, variables: dict[str, str]) -> runtime.Mount:
    path, part = _absolute(mount["mountPath"]), _sub_path(mount, variables)
    return runtime.Mount(path, "", read_only=True, image=image, image_sub_path=part)


def _sub_path(mount: Object, variables: dict[str, str]) -> str:
    if mount.get("subPathExpr"):
        return environment.expand(mount["subPathExpr"], variables.get)
    return mount.get("subPath") or ""


def _is_read_only(pod: Object, name: str) -> bool:
    """Volumes whose files the kubelet writes are never the containers' to change: a link of theirs in its place would lead the
    kubelet astray (CVE-2017-1002102). Of others the pod may say so of a whole volume, whatever its containers say."""
    volume: Object = next((one for one in pod["spec"].get("volumes") or () if one["name"] == name), {})
    return _type_of(volume) in WRITTEN_HERE or any(
        bool((volume.get(field) or {}).get("readOnly")) for field in ("persistentVolumeClaim", "nfs", "csi")
    )


def _absolute(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"
