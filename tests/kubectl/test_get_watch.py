"""`get -w`, told what happens while it watches."""

import asyncio
import contextlib
import threading
from collections.abc import Callable

import pytest

from steersman.aio.clock import SystemClock
from steersman.kubectl.streams import MemoryStreams
from steersman.testing import Cluster
from tests.kubectl.conftest import Kubectl

pytestmark = pytest.mark.slow
SECONDS_MAX = 20


class Watching(MemoryStreams):
    """Standard output that is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = threading.Condition()

    def flush(self) -> None:
        super().flush()
        with self.changed:
            self.changed.notify_all()

    def wait_for(self, ready: Callable[[str], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: ready(self.out), SECONDS_MAX), self.out


@contextlib.contextmanager
def watching(kubectl: Kubectl, line: str):
    """The verb in a thread of its own, until its output is no longer of interest."""
    from steersman.kubectl import flags, main
    from steersman.kubectl.call import Call

    streams = Watching()
    loop = asyncio.new_event_loop()

    async def follow() -> None:
        verb, rest = main.find_verb(line.split())
        assert verb is not None
        module = verb.load()
        call = Call(flags.parse(rest, main.known_flags(module)), streams, kubectl.environment, SystemClock())
        try:
            await module.run(call)
        finally:
            await call.close()

    task = loop.create_task(follow())
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.gather(task, return_exceptions=True)))
    thread.start()
    try:
        yield streams
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(SECONDS_MAX)
        loop.close()


def one(value: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: one, namespace: watched}}\ndata: {{a: '{value}'}}\n"


@pytest.fixture(autouse=True)
def watched(cluster: Cluster) -> None:
    with contextlib.suppress(Exception):
        cluster.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: watched}\n")


def change_until(cluster: Cluster, streams: Watching, ready: Callable[[str], bool]) -> None:
    """A watch of one object says nothing of what happened before it began: change it until it says something."""
    for value in range(100):
        cluster.apply(one(f"changed {value}"))
        with streams.changed:
            if streams.changed.wait_for(lambda: ready(streams.out), 0.2):
                return
    pytest.fail(streams.out)


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_headers_come_with_the_first_object_and_each_change_is_a_line(cluster: Cluster, kubectl: Kubectl) -> None:
    line = "get cm -n watched -w --field-selector metadata.name=one"
    with watching(kubectl, f"{line} --output-watch-events") as streams:
        cluster.apply(one("1"))
        streams.wait_for(lambda out: "ADDED" in out)
        cluster.apply(one("2"))
        streams.wait_for(lambda out: "MODIFIED" in out)
        cluster.delete("configmap", "one", "watched")
        streams.wait_for(lambda out: "DELETED" in out)
    header, *events = rows(streams.out)
    assert header == ["EVENT", "NAME", "DATA", "AGE"]
    assert [event[:3] for event in events] == [[what, "one", "1"] for what in ("ADDED", "MODIFIED", "DELETED")]


def test_one_object_is_shown_once_and_then_as_it_changes(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.apply(one("first"))
    with watching(kubectl, "get cm one -n watched -w -o json --output-watch-events") as streams:
        streams.wait_for(lambda out: '"ADDED"' in out)
        change_until(cluster, streams, lambda out: '"MODIFIED"' in out)
        cluster.delete("configmap", "one", "watched")
        streams.wait_for(lambda out: '"DELETED"' in out)
    first, *_, last = streams.out.splitlines()
    assert first.startswith('{"type":"ADDED","object":{"apiVersion":"v1","data":{"a":"first"},"kind":"ConfigMap",')
    assert last.startswith('{"type":"DELETED","object":{"apiVersion":"v1","data":{"a":"changed ')
    assert streams.out.count("first") == 1
