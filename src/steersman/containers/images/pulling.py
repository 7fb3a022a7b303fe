"""Pulling an image: what of it the store lacks is fetched from the first host that has it, and added.

A host that fails, does not have it or gives something else is passed over; what is told is the first failure that is more than "not
found", as containerd does.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from steersman.containers import runtime
from steersman.containers.images import blobs, hosts, platforms, references, registry
from steersman.containers.images.registry import NotFound, Registry, RegistryError

if TYPE_CHECKING:
    from steersman.containers.images.store import ImageStore

CONFIG_BYTES_MAX = 4 * 1024 * 1024
LAYERS_AT_ONCE = 3  # as Docker and containerd

Answer = TypeVar("Answer")


class Hosts:
    """The hosts that one image may be asked of, in their order."""

    def __init__(self, registries: Sequence[Registry], wanted: references.Reference) -> None:
        self._registries = registries
        self._wanted = wanted

    async def manifest(self, target: str) -> tuple[bytes, str]:
        """(bytes, media type) of a tag or digest; what is asked for by digest has it. Raises RegistryError."""

        async def ask(one: Registry) -> tuple[bytes, str]:
            raw, kind = await one.manifest(self._wanted.path, target)
            return (blobs.check(raw, target) if ":" in target else raw), kind

        try:
            return await self._first("pull" if ":" in target else "resolve", ask)
        except NotFound as missing:
            raise NotFound(f'failed to resolve reference "{self._wanted}": {self._wanted}: not found') from missing
        except (RegistryError, blobs.WrongDigest) as failed:
            raise RegistryError(f'failed to resolve reference "{self._wanted}": {failed}') from failed

    async def blob(self, digest: str, limit: int) -> bytes:
        return await self._first("pull", lambda one: one.blob(self._wanted.path, digest, limit))

    async def download(self, digest: str, path: str, size: int) -> None:
        await self._first("pull", lambda one: one.download(self._wanted.path, digest, path, size))

    async def _first(self, capability: str, ask: Callable[[Registry], Awaitable[Answer]]) -> Answer:
        failures: list[RegistryError | blobs.WrongDigest] = []
        for one in self._registries:
            if capability in one.host.can:
                try:
                    return await ask(one)
                except (RegistryError, blobs.WrongDigest) as failed:
                    failures.append(failed)
        if not failures:
            raise RegistryError(f"no host of {self._wanted.domain} may be asked for this ({capability})")
        raise next((one for one in failures if not isinstance(one, NotFound)), failures[-1])


@contextlib.asynccontextmanager
async def opened(
    wanted: references.Reference, login: runtime.RegistryLogin | None, folder: str, network: registry.Network
) -> AsyncIterator[Hosts]:
    """`folder`: of hosts.toml files. Raises hosts.Malformed, OSError."""
    async with contextlib.AsyncExitStack() as stack:
        found = await asyncio.to_thread(hosts.of, wanted.domain, folder)
        yield Hosts([await stack.enter_async_context(Registry(one, login, network)) for one in found], wanted)


async def pull(source: Hosts, wanted: references.Reference, store: "ImageStore") -> str:
    """Fetch what the store lacks and add the image; its id."""
    raw, media_type = await source.manifest(wanted.target)
    digest = blobs.digest(raw)
    manifest = json.loads(raw)
    if "manifests" in manifest:
        entry = platforms.pick(manifest["manifests"])
        raw, _ = await source.manifest(entry["digest"])
        manifest = json.loads(raw)
    if "config" not in manifest or "layers" not in manifest:
        raise RegistryError(f"unsupported manifest of type {media_type}")
    config = await source.blob(manifest["config"]["digest"], CONFIG_BYTES_MAX)
    diff_ids = json.loads(config)["rootfs"]["diff_ids"]
    if len(diff_ids) != len(manifest["layers"]):
        raise RegistryError(
            f"mismatched image rootfs and manifest layers: {len(diff_ids)} and {len(manifest['layers'])}"
        )
    await _fetch_layers(source, list(zip(diff_ids, manifest["layers"], strict=True)), store)
    size = len(config) + sum(int(layer["size"]) for layer in manifest["layers"])
    tags = [f"{wanted.name}:{wanted.tag}"] if wanted.tag else []
    return await asyncio.to_thread(store.add_image, config, size, tags=tags, digests=[f"{wanted.name}@{digest}"])


async def _fetch_layers(source: Hosts, layers: list[tuple[str, Any]], store: "ImageStore") -> None:
    slots = asyncio.Semaphore(LAYERS_AT_ONCE)

    async def fetch(diff_id: str, layer: Any) -> None:
        async with slots:
            await _fetch_layer(source, diff_id, layer["digest"], int(layer["size"]), store)

    wanted = {diff_id: layer for diff_id, layer in layers if not store.has_layer(diff_id)}
    try:
        async with asyncio.TaskGroup() as group:
            for diff_id, layer in wanted.items():
                group.create_task(fetch(diff_id, layer))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _fetch_layer(source: Hosts, diff_id: str, digest: str, size: int, store: "ImageStore") -> None:
    from steersman.containers.images.store import Layer

    path = store.temporary_path("blob")
    try:
        await source.download(digest, path, size)
        await asyncio.to_thread(store.add_layer, Layer(diff_id, path))
    finally:
        if os.path.exists(path):
            os.unlink(path)
