"""A cluster in a folder: objects, history with its causes, containers on paper, time and seed, for people and for `load`.

`cluster.json` says what it is, `objects.jsonl` and `history.jsonl` hold one object or event a line in the API's own JSON,
`struck.jsonl` the requests that faults befell. Keeps true: what is loaded answers every read with the same bytes.
Leaves to others: scripts given as Python (the containers that ran keep what theirs had said).
"""

import dataclasses
import datetime
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import orjson

from steersman.api import schema
from steersman.containers.fake_content import Content
from steersman.store.contract import NOBODY, Cause, Entry, Event
from steersman.store.memory import MemoryStore
from steersman.store.state import State
from steersman.testing.fake_node import FakeNode
from steersman.testing.fault_control import Struck
from steersman.testing.parts import Remains

FORMAT = 1


class WrongFormat(ValueError):
    """The folder is not a saved cluster, or one of another version."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """All objects and all containers at one moment, and its time. Independent of the cluster it was taken of."""

    store: MemoryStore
    remains: Remains
    at: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    name: str
    capacity: Mapping[str, str]
    labels: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What `cluster.json` says. `why` is for people: which test failed, and how."""

    name: str
    seed: int
    virtual_time: bool
    at: datetime.datetime
    revision: int
    compacted: int
    token_key: str
    nodes: tuple[Node, ...]
    containers: Mapping[str, Content]
    kubernetes_version: str = schema.RELEASE
    why: str = ""
    format: int = FORMAT

    def fake_nodes(self) -> tuple[FakeNode, ...]:
        return tuple(FakeNode(node.name, node.capacity, node.labels) for node in self.nodes)


@dataclasses.dataclass(frozen=True, slots=True)
class Saved:
    facts: Facts
    snapshot: Snapshot


def write(folder: pathlib.Path, facts: Facts, store: MemoryStore, struck: Iterable[Struck] = ()) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cluster.json").write_bytes(msgspec.json.format(msgspec.json.encode(facts), indent=2))
    _write_lines(folder / "objects.jsonl", (_entry(entry) for entry in store.entries()))
    _write_lines(folder / "history.jsonl", _history(store))
    _write_lines(folder / "struck.jsonl", ({"at": one.at, "fault": one.fault, "call": one.call} for one in struck))


def read(folder: pathlib.Path) -> Saved:
    """Raises WrongFormat, OSError."""
    try:
        facts = msgspec.json.decode((folder / "cluster.json").read_bytes(), type=Facts)
    except msgspec.DecodeError as wrong:
        raise WrongFormat(f"{folder} holds no cluster that this version knows: {wrong}") from wrong
    if facts.format != FORMAT:
        raise WrongFormat(f"{folder} has format {facts.format}, this version knows {FORMAT}")
    entries = [_entry_of(line) for line in _lines(folder / "objects.jsonl")]
    events, causes = _read_history(folder / "history.jsonl")
    store = MemoryStore(content=State.load(entries, events, facts.revision, facts.compacted), causes=causes)
    return Saved(facts, Snapshot(store, Remains(facts.containers), facts.at))


def _history(store: MemoryStore) -> Iterator[dict[str, Any]]:
    """What an event changed is told only where no earlier event tells it."""
    told: set[int] = set()
    for event in store.history():
        cause = store.causes.get(event.revision, NOBODY)
        line: dict[str, Any] = {"revision": event.revision, "key": event.key, "deleted": event.deleted}
        line |= {"who": cause.who, "verb": cause.verb, "because": cause.because, "at": cause.at}
        line["object"] = orjson.Fragment(event.value)
        if event.before is not None:
            known = event.before.revision in told
            line["before"] = event.before.revision if known else _entry(event.before)
        told.add(event.revision)
        yield line


def _read_history(path: pathlib.Path) -> tuple[list[Event], dict[int, Cause]]:
    events: list[Event] = []
    causes: dict[int, Cause] = {}
    current: dict[str, Entry] = {}
    for line in _lines(path):
        before = line.get("before")
        if before is not None:
            before = current[line["key"]] if isinstance(before, int) else _entry_of(before)
        revision, value = line["revision"], orjson.dumps(line["object"])
        events.append(Event(line["key"], value, revision, line["deleted"], before))
        current[line["key"]] = Entry(line["key"], value, revision, before.created if before else revision)
        causes[revision] = Cause(line["who"], line["verb"], line["because"], line["at"])
    return events, causes


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "key": entry.key,
        "revision": entry.revision,
        "created": entry.created,
        "object": orjson.Fragment(entry.value),
    }


def _entry_of(line: dict[str, Any]) -> Entry:
    return Entry(line["key"], orjson.dumps(line["object"]), line["revision"], line["created"])


def _write_lines(path: pathlib.Path, lines: Iterable[Any]) -> None:
    with path.open("wb") as file:
        file.writelines(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)


def _lines(path: pathlib.Path) -> Iterator[Any]:
    with path.open("rb") as file:
        yield from map(orjson.loads, file)
