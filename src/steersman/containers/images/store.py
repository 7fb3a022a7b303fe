"""The images of a machine's nodes: layers unpacked once and shared, names pointing at them, all found by digest.

Keeps true: an image that `find` answers is whole on disk; a layer that neither an image names nor a container holds is removed.
Several processes may use one folder at once (the nodes of a cluster on one machine, `steersman image load`): changes are made
under a file lock on what is then on disk, and whoever asks sees what others have changed.
Also `Images` of the runtime: pull, status, list, remove; and `load` for archives.
"""

import asyncio
import contextlib
import dataclasses
import os
import tarfile
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from steersman.aio.clock import Clock
from steersman.containers import runtime, trees
from steersman.containers.images import archive, blobs, files, platforms, references, store_folder, unpack, users
from steersman.containers.runtime import RuntimeFailure

if TYPE_CHECKING:
    from steersman.containers.images import registry

LAYER_NAME_LENGTH = (
    24  # hex digits of a layer's digest in its folder's name: short, as all of them stand in one mount option
)
PARALLEL_PULLS_MAX = 4
PASSWD, GROUP = "etc/passwd", "etc/group"


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """`layers`: folder names below `layers/`, lowest first. `config`: the `config` of the image's configuration."""

    id: str
    layers: tuple[str, ...]
    config: dict[str, Any]
    size_bytes: int
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Layer:
    """A layer to add: where its (perhaps compressed) tar lies, and the digest of the tar itself."""

    diff_id: str
    path: str


class ImageStore:
    def __init__(
        self,
        folder: str,
        clock: Clock,
        *,
        registry_hosts: str = "",
        registry_network: "registry.Network" = contextlib.nullcontext,
    ) -> None:
        self._folder = store_folder.Folder(folder)
        self._clock = clock
        self._registry_hosts = registry_hosts
        self._registry_network = registry_network
        self._images: dict[str, Image] = {}
        self._names: dict[str, str] = {}
        self._accounts: dict[str, users.Accounts] = {}
        self._rootless = False
        self._lock = threading.RLock()
        self._unpacking: dict[str, threading.Lock] = {}
        self._pulls: dict[str, asyncio.Task[str]] = {}
        self._pull_slots = asyncio.Semaphore(PARALLEL_PULLS_MAX)

    @property
    def layers_dir(self) -> str:
        return self._folder.layers

    def open(self, rootless: bool) -> None:
        """Read what is on disk and remove what processes that are gone left half done."""
        self._rootless = rootless
        self._folder.open()
        with self._changing():
            pass

    async def close(self) -> None:
        for task in self._pulls.values():
            task.cancel()
        await asyncio.gather(*self._pulls.values(), return_exceptions=True)
        self._folder.close()

    # Asking

    def find(self, reference: str) -> Image | None:
        """By reference, digest reference or id. Raises RuntimeFailure (InvalidImageName)."""
        self._refresh()
        if references.is_id(reference):
            return self._images.get(reference)
        found = self._names.get(str(parse(reference)))
        return self._images.get(found) if found else None

    def accounts(self, image: Image) -> users.Accounts:
        """The image's users and groups."""
        found = self._accounts.get(image.id)
        if found is None:
            layers = [os.path.join(self.layers_dir, name) for name in reversed(image.layers)]
            found = users.Accounts(files.read(layers, PASSWD), files.read(layers, GROUP))
            self._accounts[image.id] = found
        return found

    async def status(self, reference: str) -> runtime.ImageStatus | None:
        image = self.find(reference)
        return _status(image) if image else None

    async def list(self) -> Sequence[runtime.ImageStatus]:
        self._refresh()
        return tuple(_status(image) for image in self._images.values())

    # Changing

    async def pull(self, reference: str, login: runtime.RegistryLogin | None = None) -> str:
        """Pulls of the same reference at the same time are one. `localhost/NAME` without a port is never asked for
        anywhere: such images are loaded."""
        wanted = parse(reference)
        if wanted.domain == "localhost":
            if (image := self.find(reference)) is not None:
                return image.id
            message = f'failed to pull and unpack image "{wanted}": {wanted}: not found: images of localhost are loaded, not pulled'
            raise RuntimeFailure("ErrImagePull", message)
        key = f"{wanted} {login}"
        task = self._pulls.get(key)
        if task is None:
            task = asyncio.create_task(self._pull(wanted, login), name=f"pull {wanted}")
            self._pulls[key] = task
            task.add_done_callback(lambda _: self._pulls.pop(key, None))
        return await asyncio.shield(task)

    async def _pull(self, wanted: references.Reference, login: runtime.RegistryLogin | None) -> str:
        from steersman.containers.images import pulling, registry

        async with self._pull_slots:
            try:
                async with pulling.opened(wanted, login, self._registry_hosts, self._registry_network) as source:
                    with self._folder.adding():
                        return await pulling.pull(source, wanted, self)
            except (registry.RegistryError, ValueError, OSError, tarfile.TarError, *blobs.MALFORMED) as failed:
                message = f'failed to pull and unpack image "{wanted}": {failed}'
                raise RuntimeFailure("ErrImagePull", message) from failed

    async def load(self, path: str | os.PathLike[str]) -> Sequence[str]:
        """Add the images of an archive (OCI layout or docker save, also compressed); their references."""

        def work() -> Sequence[str]:
            with self._folder.adding():
                return archive.load(os.fspath(path), self)

        return await asyncio.to_thread(work)

    async def tag(self, reference: str, new: str) -> None:
        image = self.find(reference)
        if image is None:
            raise RuntimeFailure("ImageNotFound", f"{reference}: not found", temporary=False)
        with self._changing():
            self._add(_named(image, tag=str(parse(new))))

    async def remove(self, reference: str) -> None:
        """All names of the image, and the image (CRI's RemoveImage)."""
        image = self.find(reference)
        if image is not None:
            await asyncio.to_thread(self._remove, image)

    def _remove(self, image: Image) -> None:
        with self._changing():
            self._images.pop(image.id, None)
            self._accounts.pop(image.id, None)
            self._names = {name: found for name, found in self._names.items() if found != image.id}

    def hold(self, owner: str, image: Image) -> bool:
        """Until `release`, the image's layers stay, even when the image is removed: a container stands on them.
        False: too late, it was removed just now."""
        self._folder.hold(owner, image.layers)
        return all(self._folder.has_layer(layer) for layer in image.layers)

    def release(self, owner: str) -> None:
        self._folder.release(owner)

    def release_all_but(self, prefix: str, owners: set[str]) -> None:
        """Of the owners that begin with `prefix`, only these still exist."""
        self._folder.release_all_but(prefix, owners)

    # For archives and registries; called from worker threads

    def layer_name(self, diff_id: str) -> str:
        """Raises blobs.WrongDigest: images say what they like, and this is a path."""
        return blobs.well_formed(diff_id).removeprefix("sha256:")[:LAYER_NAME_LENGTH]

    def has_layer(self, diff_id: str) -> bool:
        return self._folder.has_layer(self.layer_name(diff_id))

    def temporary_path(self, prefix: str) -> str:
        """A fresh name in a folder that is emptied when this process is gone."""
        return self._folder.temporary_path(prefix)

    def add_layer(self, layer: Layer) -> None:
        """Unpack, unless it is there. Raises blobs.WrongDigest, unpack.HostileLayer and others; then nothing is left."""
        name = self.layer_name(layer.diff_id)
        with self._lock:
            own = self._unpacking.setdefault(name, threading.Lock())
        with own:
            if self.has_layer(layer.diff_id):
                return
            temporary = self.temporary_path("layer")
            os.mkdir(temporary, 0o755)
            try:
                with blobs.Decompressed(layer.path) as stream:
                    reader = blobs.HashingReader(stream)
                    unpack.unpack(reader, temporary, rootless=self._rootless)  # type: ignore[arg-type]
                    found = reader.drain()
                if found != layer.diff_id:
                    raise blobs.WrongDigest(f"layer has digest {found}, expected {layer.diff_id}")
                self._folder.add_layer(temporary, name)
            except BaseException:
                trees.remove(temporary)
                raise

    def add_image(self, config_bytes: bytes, size_bytes: int, *, tags: Sequence[str], digests: Sequence[str]) -> str:
        """All its layers must be there. Returns the image id."""
        config = msgspec.json.decode(config_bytes)
        platforms.check(config)
        image = Image(
            id=blobs.digest(config_bytes),
            layers=tuple(self.layer_name(diff_id) for diff_id in config["rootfs"]["diff_ids"]),
            config=_checked(config.get("config") or {}),
            size_bytes=size_bytes,
        )
        with self._changing():
            known = self._images.get(image.id, image)
            for tag in tags:
                known = _named(known, tag=tag)
            for digest in digests:
                known = _named(known, digest=digest)
            self._add(known)
        return image.id

    # What is on disk and what is in memory

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Alone with the newest state, which is written when the block ends well; unused layers go."""
        with self._lock, self._folder.locked():
            self._refresh()
            yield
            self._folder.write(msgspec.json.encode(list_of(self._images.values())))
            self._folder.remove_layers_but({layer for image in self._images.values() for layer in image.layers})

    def _refresh(self) -> None:
        """Read again what another process has written."""
        with self._lock:
            raw = self._folder.read_if_changed()
            if raw is None:
                return
            self._images, self._names = {}, {}
            for image in msgspec.json.decode(raw, type=list_of[Image]):
                if all(self._folder.has_layer(layer) for layer in image.layers):
                    self._add(image)

    def _add(self, image: Image) -> None:
        """A name that pointed at another image is taken from it."""
        for name in (*image.tags, *image.digests):
            before = self._images.get(self._names.get(name, ""))
            if before is not None and before.id != image.id:
                kept = tuple(tag for tag in before.tags if tag != name)
                self._images[before.id] = dataclasses.replace(before, tags=kept)
            self._names[name] = image.id
        self._images[image.id] = image


list_of: Any = list  # `list` is a method above


def parse(reference: str) -> references.Reference:
    try:
        return references.parse(reference)
    except references.InvalidReference as wrong:
        message = f'couldn\'t parse image name "{reference}": {wrong}'
        raise RuntimeFailure("InvalidImageName", message, temporary=False) from wrong


class _Config(msgspec.Struct, rename="pascal"):
    """What of an image's configuration is used, and its shape."""

    entrypoint: list_of[str] | None = None
    cmd: list_of[str] | None = None
    env: list_of[str] | None = None
    working_dir: str | None = None
    user: str | None = None
    stop_signal: str | None = None


def _checked(config: Any) -> dict[str, Any]:
    """Raises ValueError: whoever made the image may have written anything."""
    try:
        msgspec.convert(config, _Config)
    except msgspec.ValidationError as wrong:
        raise ValueError(f"the image's configuration: {wrong}") from wrong
    found: dict[str, Any] = config
    return found


def _named(image: Image, *, tag: str = "", digest: str = "") -> Image:
    tags = (*image.tags, tag) if tag and tag not in image.tags else image.tags
    digests = (*image.digests, digest) if digest and digest not in image.digests else image.digests
    return dataclasses.replace(image, tags=tags, digests=digests)


def _status(image: Image) -> runtime.ImageStatus:
    return runtime.ImageStatus(
        id=image.id,
        tags=image.tags,
        digests=image.digests,
        size_bytes=image.size_bytes,
        user=str(image.config.get("User") or ""),
        pinned=any(tag.startswith("localhost/") for tag in image.tags),
    )
