"""The stores that the contract suite runs against, and short ways to write to them."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from steersman.aio.clock import SystemClock
from steersman.store import contract
from steersman.store.contract import Cause, Delete, Put
from steersman.store.etcd.store import EtcdStore
from steersman.store.memory import DEFAULT_LIMITS, Limits, MemoryStore
from steersman.store.sqlite import SqliteStore
from tests.store import etcd_server

AnyStore = MemoryStore | SqliteStore | EtcdStore
Open = Callable[..., AbstractAsyncContextManager[AnyStore]]
MEDIA = ("memory", "sqlite", "etcd")


@contextlib.contextmanager
def opener(medium: str, folder: Path) -> Iterator[Open]:
    """Opens stores with limits of the caller's choice: on SQLite the same file each time, on etcd the same etcd."""
    with contextlib.ExitStack() as stack:
        etcd = stack.enter_context(etcd_server.running(folder)) if medium == "etcd" else None

        @contextlib.asynccontextmanager
        async def opened(limits: Limits = DEFAULT_LIMITS) -> AsyncIterator[AnyStore]:
            store: AnyStore
            if etcd is not None:
                store = await EtcdStore.open(etcd.address, SystemClock(), limits=limits)
            elif medium == "sqlite":
                store = SqliteStore.open(folder / "store.db", limits)
            else:
                store = MemoryStore(limits)
            try:
                yield store
            finally:
                await store.close()

        yield opened


def pod(name: str, namespace: str = "default") -> str:
    return f"/core/pods/{namespace}/{name}"


def put(key: str, text: str = "", expect: int | None = None) -> Put:
    return Put(key, b'{"rv":"', f'","text":"{text}"}}'.encode(), expect)


def delete(key: str, text: str = "", expect: int | None = None) -> Delete:
    return Delete(key, b'{"rv":"', f'","text":"{text}"}}'.encode(), expect)


def value(revision: int, text: str = "") -> bytes:
    return f'{{"rv":"{revision}","text":"{text}"}}'.encode()


async def write(store: contract.Store, *operations: Put | Delete, who: str = "test") -> int:
    return await store.txn(operations, Cause(who, "update", 0, "2026-01-01T00:00:00.000000Z"))


async def keys(store: contract.Store, prefix: str, **options: int | str) -> list[str]:
    page = await store.list(prefix, **options)  # type: ignore[arg-type]
    return [entry.key for entry in page.entries]


async def events(watch: contract.Watch, count: int) -> list[contract.Event]:
    """The next `count` events."""
    found: list[contract.Event] = []
    while len(found) < count:
        found += await anext(aiter(watch))
    assert len(found) == count
    return found
