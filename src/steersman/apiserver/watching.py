"""watch: events of the store framed once and handed to every watcher as the same bytes.

Keeps true: no gap and no repetition between what a client listed and what it is told; an object that begins or ceases to
match the selectors is ADDED or DELETED; a watcher that is too slow or asks for a forgotten revision gets 410 and lists again.
Source: "Efficient detection of changes" and "Streaming lists" in the Kubernetes API concepts; KEP-3157, KEP-956.
"""

import asyncio
import collections
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterable
from typing import Any

import orjson

from steersman.aio import clock as clocks
from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import decoded, keys, negotiation, reading, selection, shapes, socket_streams
from steersman.apiserver.call import Call
from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.serving import messages
from steersman.store import contract
from steersman.store.contract import Event

BOOKMARK_SECONDS = 60.0  # upstream's period
MIN_TIMEOUT_SECONDS = (
    1800.0  # upstream's --min-request-timeout: a watch without timeoutSeconds ends after once to twice this
)
END_BOOKMARK_SECONDS = 2.0  # upstream sends a last bookmark this long before the timeout

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
# The state a watch begins with is framed in pieces of so many objects, the next when the client has taken the last: a
# thousand watchers that do not read would otherwise each hold all of it (18 GB were seen).
INITIAL_AT_ONCE = 200


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    """How a watch begins. `after` -1: with the current state as ADDED events."""

    after: int
    bookmarks: bool
    announce_initial_end: bool
    timeout_seconds: float


class Watcher:
    def __init__(
        self, store: contract.Store, clock: clocks.Clock, objects: decoded.DecodedObjects, shaper: shapes.Shaper
    ) -> None:
        self._store = store
        self._clock = clock
        self._objects = objects
        self._shaper = shaper
        self.open = 0
        self.users: collections.Counter[str] = collections.Counter()  # of open watches

    async def watch(self, call: Call) -> messages.Response:
        """Raises StatusError for wrong parameters; a forgotten revision is an ERROR event in the stream, as upstream has it."""
        selected = selection.of(call)
        plan = self._plan(call)
        if call.form.encoding == "yaml":
            raise errors.not_acceptable("application/json;stream=watch")
        if call.form.shape == "Table":
            shapes.include_of(call)
        if call.form.encoding == "protobuf":
            return self._as_protobuf(call, selected, plan)
        headers = {"content-type": "application/json"}
        return socket_streams.of_lines(
            call.request, messages.Response(200, headers, stream=self._stream(call, selected, plan))
        )

    def _as_protobuf(self, call: Call, selected: selection.Selection, plan: _Plan) -> messages.Response:
        """The same events, each as a message that begins with its length. Raises StatusError 406."""
        negotiation.protobuf_of(self._shaper.shape(call, _bare(call.kind, {})))  # has it one?
        headers = {"content-type": f"{negotiation.PROTOBUF};stream=watch"}
        return messages.Response(200, headers, stream=_protobuf_frames(self._stream(call, selected, plan)))

    def _plan(self, call: Call) -> _Plan:
        version, match = call.parameter("resourceVersion"), call.parameter("resourceVersionMatch")
        timeout = call.number("timeoutSeconds")
        timeout_seconds = float(timeout or 0)
        if timeout_seconds <= 0:
            timeout_seconds = self._clock.jitter(MIN_TIMEOUT_SECONDS, 1.0)
        bookmarks = call.flag("allowWatchBookmarks")
        text = call.parameter("sendInitialEvents")
        initial = call.flag("sendInitialEvents") if text else None
        _check_initial(initial, version, match)
        number = reading.parse_version(version) if version else 0
        if number > self._store.revision:
            raise reading.too_large(number, self._store.revision)
        with_state = initial if initial is not None else number == 0
        announce = bool(initial) and bookmarks
        if with_state:
            return _Plan(-1, bookmarks, announce, timeout_seconds)
        return _Plan(number or self._store.revision, bookmarks, False, timeout_seconds)

    async def _stream(self, call: Call, selected: selection.Selection, plan: _Plan) -> AsyncIterator[bytes]:
        framer = Framer(call, selected, self._objects, self._shaper)
        prefix = keys.prefix(call.kind, call.target.namespace if call.kind.namespaced else "")
        if selected.name is not None and (call.target.namespace or not call.kind.namespaced):
            framer.only_key = prefix + selected.name
        self.open += 1
        self.users[call.user.name] += 1
        try:
            after = plan.after
            if after < 0:
                page = await self._store.list(prefix)
                after = page.revision
                entries = page.entries
                for first in range(0, max(1, len(entries)), INITIAL_AT_ONCE):
                    state = framer.initial(entries[first : first + INITIAL_AT_ONCE])
                    if plan.announce_initial_end and first + INITIAL_AT_ONCE >= len(entries):
                        state += framer.bookmark(after, initial_end=True)
                    if state:
                        yield state
            with contextlib.closing(self._store.watch(prefix, after, self._interest(selected))) as watch:
                async for piece in self._follow(watch, framer, plan):
                    yield piece
        except contract.Compacted:
            yield _error(errors.expired(f"too old resource version: {plan.after} ({self._store.revision})"))
        except contract.Overrun:
            yield _error(errors.expired("too old resource version: the watcher was too slow"))
        except errors.StatusError as refusal:
            yield _error(refusal)
        finally:
            self.open -= 1
            self.users[call.user.name] -= 1
            if not self.users[call.user.name]:
                del self.users[call.user.name]

    def _interest(self, selected: selection.Selection) -> contract.Interest | None:
        """A kubelet's watch hears of its own node's pods only: with a thousand nodes, each change would be a thousand questions
        else. Upstream's watch cache has this one index, too."""
        if selected.kind is not kinds.POD:
            return None
        node = selected.fields.exact("spec.nodeName")
        return contract.Interest(self._nodes_of, node) if node else None

    def _nodes_of(self, event: Event) -> tuple[str, ...]:
        """Where the pod is, and where it was before the change."""
        now = "" if event.deleted else self._node_of(event)
        before = "" if event.before is None else self._node_of(event.before)
        return (now,) if now == before else (now, before)

    def _node_of(self, pod: contract.Entry | Event) -> str:
        node: str = self._objects.of(pod)["spec"].get("nodeName") or ""
        return node

    async def _follow(self, watch: contract.Watch, framer: "Framer", plan: _Plan) -> AsyncIterator[bytes]:
        now = self._clock.monotonic
        end = now() + plan.timeout_seconds
        batches = aiter(watch)
        interruption = Interruption()
        try:
            while True:
                # A bookmark each minute, and a last one shortly before the end.
                left = end - now()
                if left <= 0:
                    return
                pause = min(BOOKMARK_SECONDS, left - END_BOOKMARK_SECONDS if left > END_BOOKMARK_SECONDS else left)
                interruption.arm(pause)
                while (batch := await interruption.wait(batches)) is not None:
                    frames = framer.frames(batch)
                    if frames:
                        yield frames
                if interruption.ended:
                    return
                if plan.bookmarks:
                    yield framer.bookmark(watch.revision)
        finally:
            interruption.disarm()


class Interruption:
    """Waits for the next batch, but no longer than until a timer set beforehand: one timer a minute instead of one per event."""

    def __init__(self) -> None:
        self.ended = False
        self._timer: asyncio.TimerHandle | None = None
        self._due = False
        self._waiting: asyncio.Task[Any] | None = None
        self._cancelled = False  # by our own timer

    def arm(self, seconds: float) -> None:
        self._due = False
        self._timer = asyncio.get_running_loop().call_later(max(0.0, seconds), self._ring)

    def disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _ring(self) -> None:
        self._due = True
        if self._waiting is not None:
            self._cancelled = True
            self._waiting.cancel()

    async def wait(self, batches: AsyncIterator[list[Event]]) -> list[Event] | None:
        """The next batch; None when the timer rang first or (`ended`) there are no more."""
        if self._due:
            return None
        task = asyncio.current_task()
        assert task is not None
        self._waiting = task
        try:
            return await anext(batches)
        except StopAsyncIteration:
            self.ended = True
            return None
        except asyncio.CancelledError:
            # Our own timer cancelled the wait, unless somebody else cancelled the task as well.
            if self._cancelled and task.uncancel() <= 0:
                return None
            raise
        finally:
            self._waiting = None
            self._cancelled = False


class Framer:
    """Events as the bytes one watcher gets. Plain frames are kept on the event itself, so all watchers share them."""

    def __init__(
        self, call: Call, selected: selection.Selection, objects: decoded.DecodedObjects, shaper: shapes.Shaper
    ) -> None:
        self.only_key = ""
        self._call = call
        self._kind: Kind = call.kind
        self._selected = None if selected.is_everything else selected
        self._objects = objects
        self._shaper = shaper
        self._shape = call.form.shape
        self._include = call.parameter("includeObject")
        self._headers_sent = False

    def frames(self, batch: list[Event]) -> bytes:
        if self._selected is None and not self._shape:
            return b"".join([event.frames.get("plain") or _plain_frame(event) for event in batch])
        return b"".join([frame for event in batch if (frame := self._frame(event))])

    def initial(self, entries: Iterable[contract.Entry]) -> bytes:
        """The current state as ADDED events."""
        pieces = []
        for entry in entries:
            if self.only_key and entry.key != self.only_key:
                continue
            if self._selected is not None and not self._selected.matches(self._objects.of(entry)):
                continue
            if self._shape:
                pieces.append(self._shaped("ADDED", orjson.loads(entry.value)))
            else:
                pieces.append(b'{"type":"ADDED","object":%b}\n' % entry.value)
        return b"".join(pieces)

    def bookmark(self, revision: int, *, initial_end: bool = False) -> bytes:
        meta: dict[str, Any] = {"resourceVersion": str(revision)}
        if initial_end:
            meta["annotations"] = {INITIAL_EVENTS_END: "true"}
        obj = _bare(self._kind, meta)
        if self._shape == "Table":
            table = self._shaper.shape(self._call, obj, headers=False)
            return _frame("BOOKMARK", orjson.dumps(table))
        return _frame("BOOKMARK", orjson.dumps(self._shaper.shape(self._call, obj)))

    def _frame(self, event: Event) -> bytes:
        if self.only_key and event.key != self.only_key:
            return b""
        kind_of_event = self._type(event)
        if kind_of_event == "":
            return b""
        value = event.value
        if kind_of_event == "DELETED" and not event.deleted and event.before is not None:
            # It no longer matches: the watcher gets what it knew last, at the revision of the change.
            value = keys.with_revision(self._kind, event.before.value, event.revision)
        if not self._shape:
            form = ("selected", kind_of_event)
            return event.frames.get(form) or event.frames.setdefault(form, _frame(kind_of_event, value))
        return self._shaped(kind_of_event, orjson.loads(value))

    def _type(self, event: Event) -> str:
        """ADDED, MODIFIED, DELETED as the selectors see the change; "" when they do not."""
        is_new = event.before is None
        if self._selected is None:
            return "DELETED" if event.deleted else "ADDED" if is_new else "MODIFIED"
        before = event.before is not None and self._selected.matches(self._objects.of(event.before))
        now = not event.deleted and self._selected.matches(self._objects.of(event))
        if now:
            return "MODIFIED" if before else "ADDED"
        return "DELETED" if before else ""

    def _shaped(self, kind_of_event: str, obj: Object) -> bytes:
        shaped = self._shaper.shape(self._call, obj, headers=not self._headers_sent)
        self._headers_sent = True
        return _frame(kind_of_event, orjson.dumps(shaped))


def _plain_frame(event: Event) -> bytes:
    kind_of_event = "DELETED" if event.deleted else "ADDED" if event.before is None else "MODIFIED"
    frame = event.frames["plain"] = _frame(kind_of_event, event.value)
    return frame


def _frame(kind_of_event: str, value: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (kind_of_event.encode(), value)


def _bare(kind: Kind, meta: dict[str, Any]) -> Object:
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}


async def _protobuf_frames(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    from steersman.apiserver.protobuf import encoding  # late, as where requests are read

    async for piece in pieces:
        events = map(orjson.loads, piece.splitlines())
        yield b"".join(encoding.frame(event["type"], negotiation.protobuf_of(event["object"])) for event in events)


def _error(refusal: errors.StatusError) -> bytes:
    return _frame("ERROR", orjson.dumps(refusal.status))


def _check_initial(initial: bool | None, version: str, match: str) -> None:
    """The rules of sendInitialEvents. Raises StatusError 422."""
    if initial is None:
        if match:
            why = "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            _refuse("resourceVersionMatch", why)
        return
    if match != "NotOlderThan":
        if not match:
            _refuse(
                "resourceVersionMatch",
                "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            )
        _refuse(
            "resourceVersionMatch",
            f'Unsupported value: "{match}": supported values: "NotOlderThan"',
            "FieldValueNotSupported",
        )


def _refuse(field: str, why: str, reason: str = "FieldValueForbidden") -> None:
    raise errors.invalid("ListOptions", "", [errors.FieldError(field, reason, why)], "meta.k8s.io")
