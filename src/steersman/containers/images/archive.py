"""Archives of images: an OCI layout or the output of `docker save`, as a tar, perhaps compressed."""

import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from steersman.containers import trees
from steersman.containers.images import blobs, platforms, references, unpack

if TYPE_CHECKING:
    from steersman.containers.images.store import ImageStore

NAME_ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


class BadArchive(ValueError):
    """Not an archive of images, or a broken one."""


def load(path: str, store: "ImageStore") -> list[str]:
    """Add every image of the archive; the references they got (an id where an image has no name)."""
    folder = store.temporary_path("archive")
    os.mkdir(folder)
    try:
        _extract(path, folder)
        if os.path.exists(os.path.join(folder, "index.json")):
            return list(_load_layout(folder, store))
        if os.path.exists(os.path.join(folder, "manifest.json")):
            return list(_load_docker(folder, store))
        raise BadArchive(f"{path}: neither index.json nor manifest.json in it")
    except (tarfile.TarError, *blobs.MALFORMED) as wrong:
        raise BadArchive(f"{path}: {wrong!r}") from wrong
    finally:
        trees.remove(folder)


def _extract(path: str, folder: str) -> None:
    """With the care that layers get (Python's own filters are missing in 3.11.2, Debian 12's)."""
    with blobs.Decompressed(path) as stream:
        unpack.unpack(stream, folder, rootless=True)


def _load_layout(folder: str, store: "ImageStore") -> Iterator[str]:
    index = _json(folder, "index.json")
    for entry in index.get("manifests", ()):
        annotations = entry.get("annotations") or {}
        tags = _names(annotations)
        manifest = _resolve(folder, entry)
        if manifest is not None:
            yield _add(folder, manifest, entry["digest"], tags, store)


def _resolve(folder: str, entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The manifest for this platform; None for what is no image (signatures, attestations)."""
    found = json.loads(blobs.check(_blob(folder, entry["digest"]), entry["digest"]))
    if found.get("mediaType") in INDEX_TYPES or "manifests" in found:
        return _resolve(folder, platforms.pick(found["manifests"]))
    return found if "layers" in found and "config" in found else None


def _add(folder: str, manifest: Mapping[str, Any], digest: str, tags: list[str], store: "ImageStore") -> str:
    from steersman.containers.images.store import Layer

    config_digest = manifest["config"]["digest"]
    config = blobs.check(_blob(folder, config_digest), config_digest)
    diff_ids = json.loads(config)["rootfs"]["diff_ids"]
    if len(diff_ids) != len(manifest["layers"]):
        raise BadArchive(f"{len(manifest['layers'])} layers, but the configuration names {len(diff_ids)}")
    for diff_id, layer in zip(diff_ids, manifest["layers"], strict=True):
        store.add_layer(Layer(diff_id, _blob_path(folder, layer["digest"])))
    size = sum(layer.get("size", 0) for layer in manifest["layers"]) + len(config)
    digests = [f"{references.parse(tag).name}@{digest}" for tag in tags]
    image_id = store.add_image(config, size, tags=tags, digests=digests)
    return tags[0] if tags else image_id


def _load_docker(folder: str, store: "ImageStore") -> Iterator[str]:
    from steersman.containers.images.store import Layer

    for entry in _json(folder, "manifest.json"):
        config = _file(folder, entry["Config"])
        diff_ids = json.loads(config)["rootfs"]["diff_ids"]
        size = len(config)
        for diff_id, name in zip(diff_ids, entry["Layers"], strict=True):
            path = _inside(folder, name)
            size += os.path.getsize(path)
            store.add_layer(Layer(diff_id, path))
        tags = [references.normalise(tag) for tag in entry.get("RepoTags") or ()]
        image_id = store.add_image(config, size, tags=tags, digests=())
        yield tags[0] if tags else image_id


def _names(annotations: Mapping[str, str]) -> list[str]:
    """containerd writes the whole name; the OCI annotation is often only a tag, which names nothing by itself."""
    for key in NAME_ANNOTATIONS:
        text = annotations.get(key, "")
        if "/" in text or (key == NAME_ANNOTATIONS[0] and text) or ":" in text:
            return [references.normalise(text)]
    return []


def _json(folder: str, name: str) -> Any:
    return json.loads(_file(folder, name))


def _blob(folder: str, digest: str) -> bytes:
    with open(_blob_path(folder, digest), "rb") as file:
        return file.read()


def _blob_path(folder: str, digest: str) -> str:
    algorithm, _, text = digest.partition(":")
    return _inside(folder, f"blobs/{algorithm}/{text}")


def _file(folder: str, name: str) -> bytes:
    with open(_inside(folder, name), "rb") as file:
        return file.read()


def _inside(folder: str, name: str) -> str:
    path = os.path.realpath(os.path.join(folder, name))
    if not path.startswith(os.path.realpath(folder) + os.sep) or not os.path.isfile(path):
        raise BadArchive(f"the archive names {name}, which is not in it")
    return path
