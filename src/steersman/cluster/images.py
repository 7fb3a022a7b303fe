"""The images that all nodes of a cluster on one machine share."""

import asyncio
import os
import pathlib
import tempfile
from collections.abc import Sequence

from steersman.aio.clock import SystemClock
from steersman.cluster.paths import Paths
from steersman.containers.images import build
from steersman.containers.images.store import ImageStore

EXAMPLE_VERSIONS = ("1", "2")


def open_store(where: Paths) -> ImageStore:
    store = ImageStore(str(where.images), SystemClock())
    store.open(rootless=os.geteuid() != 0)
    return store


def load_examples(where: Paths) -> None:
    """Build and load localhost/hello:1 and :2 where they are missing. Raises build.NoBusybox."""
    store = open_store(where)
    missing = [version for version in EXAMPLE_VERSIONS if store.find(f"localhost/hello:{version}") is None]
    with tempfile.TemporaryDirectory() as folder:
        for version in missing:
            load(store, [build.build_hello(version, pathlib.Path(folder, f"hello-{version}.tar"))])


def load(store: ImageStore, archives: Sequence[str]) -> list[str]:
    """The references that were loaded."""

    async def load_all() -> list[str]:
        return [reference for archive in archives for reference in await store.load(archive)]

    return asyncio.run(load_all())
