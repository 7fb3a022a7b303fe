"""`steersman image load/ls/rm`: what the nodes have. Works on the files the nodes share, so also while nothing runs."""

import asyncio
import sys
from collections.abc import Sequence

from steersman.aio.clock import SystemClock
from steersman.cluster import images, options, paths
from steersman.cluster.join import membership
from steersman.containers.cri.containerd import Containerd
from steersman.containers.runtime import ImageStatus, RuntimeFailure


def load(archives: Sequence[str], name: str, data_dir: str | None) -> int:
    where = paths.of_cluster(name, data_dir)
    where.prepare()
    store = images.open_store(where)
    try:
        for reference in images.load(store, archives):
            print(f"Loaded {reference}")
        _load_into_containerd(where, archives)
    except (RuntimeFailure, ValueError, OSError) as problem:
        print(f"Could not load: {problem}", file=sys.stderr)
        return 1
    return 0


def _load_into_containerd(where: paths.Paths, archives: Sequence[str]) -> None:
    """Where nodes have a containerd of their own, which has images of its own; one that does not run is left out."""
    for node in _nodes_with_containerd(where):
        made = Containerd(where.node_data(node) / "containerd", where.node_run(node) / "containerd", "", SystemClock())
        if made.pid:
            for archive in archives:
                asyncio.run(made.load(archive))


def _nodes_with_containerd(where: paths.Paths) -> Sequence[str]:
    joined, wanted = membership.load(where), options.load(where.options)
    if joined is not None:
        return (joined.node,) if joined.runtime == "cri" else ()
    return wanted.node_names() if wanted is not None and wanted.runtime == "cri" else ()


def list_images(name: str, data_dir: str | None) -> int:
    store = images.open_store(paths.of_cluster(name, data_dir))
    rows = [row for image in asyncio.run(store.list()) for row in _rows(image)]
    print(f"{'IMAGE':<48}{'ID':<16}SIZE")
    for row in sorted(rows):
        print(row)
    return 0


def remove(references: Sequence[str], name: str, data_dir: str | None) -> int:
    store = images.open_store(paths.of_cluster(name, data_dir))
    failed = False
    for reference in references:
        try:
            found = store.find(reference)
        except RuntimeFailure as problem:
            print(problem, file=sys.stderr)
            failed = True
            continue
        if found is None:
            print(f"{reference}: no such image", file=sys.stderr)
            failed = True
            continue
        asyncio.run(store.remove(reference))
        print(f"Removed {reference}")
    return int(failed)


def _rows(image: ImageStatus) -> list[str]:
    identifier = image.id.removeprefix("sha256:")[:12]
    names = image.tags or image.digests or ("<none>",)
    return [f"{name:<48}{identifier:<16}{image.size_bytes / 1e6:.1f} MB" for name in names]
