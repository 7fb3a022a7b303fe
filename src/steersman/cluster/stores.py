"""Where a cluster keeps its objects: `--store sqlite`, `memory` or `etcd:URL[,URL]`."""

import contextlib
import pathlib
import socket
import urllib.parse
from typing import TYPE_CHECKING

from steersman.aio.clock import Clock
from steersman.cluster.options import Options
from steersman.cluster.paths import Paths
from steersman.store import contract
from steersman.store.memory import MemoryStore
from steersman.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from steersman.store.etcd import addresses

ETCD = "etcd:"
CONNECT_SECONDS = 2.0


def check(text: str) -> None:
    """Raises ValueError where `text` names no store."""
    if text.startswith(ETCD):
        from steersman.store.etcd import addresses

        addresses.parse(text.removeprefix(ETCD))
    elif text not in ("sqlite", "memory"):
        raise ValueError(f"{text!r} is none of sqlite, memory, etcd:URL[,URL]")


def missing(options: Options) -> str:
    """What stands in the way of a start, for people; "" for nothing."""
    if not options.store.startswith(ETCD):
        return ""
    found = _address(options)
    for path in (found.authority, found.certificate, found.key):
        if path is not None and not path.is_file():
            return f"There is no file {path}."
    for url in found.urls:
        parts = urllib.parse.urlsplit(url)
        with contextlib.suppress(OSError), socket.create_connection((parts.hostname, parts.port), CONNECT_SECONDS):
            return ""
    return f"No etcd answers at {', '.join(found.urls)}."


async def open_store(options: Options, where: Paths, clock: Clock) -> contract.Store:
    """Raises Unavailable where etcd does not answer."""
    if options.store.startswith(ETCD):
        from steersman.store.etcd.store import EtcdStore  # gRPC: only who needs it waits for it

        return await EtcdStore.open(_address(options), clock, prefix=_prefix(options))
    return SqliteStore.open(where.store) if options.store == "sqlite" else MemoryStore()


async def purge(options: Options, clock: Clock) -> None:
    """Delete what the cluster keeps outside its folder. Raises Unavailable."""
    if options.store.startswith(ETCD):
        from steersman.store.etcd import store

        await store.purge(_address(options), clock, prefix=_prefix(options))


def _address(options: Options) -> "addresses.Address":
    from steersman.store.etcd import addresses

    urls = addresses.parse(options.store.removeprefix(ETCD))
    return addresses.Address(urls, *map(_path, (options.etcd_cafile, options.etcd_certfile, options.etcd_keyfile)))


def _prefix(options: Options) -> str:
    """Clusters of different names may share an etcd."""
    return f"{options.etcd_prefix.rstrip('/')}/{options.name}"


def _path(text: str) -> pathlib.Path | None:
    return pathlib.Path(text) if text else None
