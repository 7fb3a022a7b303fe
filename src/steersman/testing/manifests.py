"""Manifests as people have them: YAML or JSON text, a file, a folder, or objects."""

import pathlib
from collections.abc import Iterable, Iterator

import yaml

from steersman.meta.objects import Object

Manifest = str | pathlib.Path | Object | Iterable[Object]

_SUFFIXES = (".yaml", ".yml", ".json")


class NotAManifest(ValueError):
    """It is no YAML, or something in it is no object of the API."""


def read(manifest: Manifest) -> list[Object]:
    """Every object of it, Lists taken apart. Raises NotAManifest, OSError."""
    try:
        found = [item for obj in map(_checked, _objects(manifest)) for item in _items(obj)]
    except yaml.YAMLError as problem:
        raise NotAManifest(f"a manifest cannot be read: {problem}") from problem
    return [_checked(item) for item in found]


def _checked(obj: object) -> Object:
    if not isinstance(obj, dict):
        raise NotAManifest(
            f"a manifest is made of objects with apiVersion and kind, which this is not: {str(obj)[:80]}"
        )
    return obj


def _objects(manifest: Manifest) -> Iterator[Object]:
    if isinstance(manifest, dict):
        yield manifest
    elif isinstance(manifest, pathlib.Path) or (isinstance(manifest, str) and _is_path(manifest)):
        for path in _files(pathlib.Path(manifest)):
            yield from _parse(path.read_text())
    elif isinstance(manifest, str):
        yield from _parse(manifest)
    else:
        yield from manifest


def _is_path(text: str) -> bool:
    return "\n" not in text and ":" not in text


def _files(path: pathlib.Path) -> list[pathlib.Path]:
    return sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES) if path.is_dir() else [path]


def _parse(text: str) -> Iterator[Object]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return (document for document in yaml.load_all(text, Loader=loader) if document is not None)


def _items(obj: Object) -> list[Object]:
    return list(obj["items"]) if obj.get("kind", "").endswith("List") and "items" in obj else [obj]
