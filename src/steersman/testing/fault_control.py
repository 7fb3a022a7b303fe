"""`cluster.faults`: make requests go wrong, for the parts in this process and for clients from outside.

Each method puts a rule in force and gives it back: `with cluster.faults.conflict(resource="deployments", count=3): …`
takes it away at the end of the block, `remove` at any time. The test's own calls (`cluster.apply`, …) are never struck.
"""

import collections
import contextlib
import dataclasses
import math
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from steersman.aio.clock import Clock
from steersman.client.transport import Transport
from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.serving.messages import Handler, Request
from steersman.testing import fault_rules, faults
from steersman.testing.fault_rules import WRITES, Call, Rule, Words
from steersman.testing.faults import Fault, FaultyTransport, Gate, OpenStreams

STRUCK_KEPT = 1000  # the newest; enough for the story of one failed test

# The users that the parts are known as; a node is `system:node:NAME`.
PARTS = {"controllers": "system:kube-controller-manager", "scheduler": "system:kube-scheduler"}

Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True, slots=True)
class Struck:
    """What happened to which request."""

    at: str
    call: Call
    fault: str


class ActiveRule:
    """A rule in force, until `remove` or the end of its `with` block."""

    def __init__(self, rule: Rule, remove: Callable[["ActiveRule"], None]) -> None:
        self.rule = rule
        self._remove = remove

    @property
    def struck(self) -> int:
        """How many requests (and open watches) it has struck so far."""
        return self.rule.struck

    def remove(self) -> None:
        """Once is enough; again does nothing."""
        self._remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


class Faults:
    """Where a method takes **which, it takes those of `add`: verb, resource, namespace, name, user (one word or several, with
    `*`), count, probability, seconds (how long the rule is in force)."""

    def __init__(self, clock: Clock, revision: Callable[[], int]) -> None:
        """`revision` is the store's newest."""
        self._clock = clock
        self._revision = revision
        self._rules: dict[ActiveRule, Gate | None] = {}
        self._streams: dict[str, OpenStreams] = collections.defaultdict(OpenStreams)  # by user
        self.struck: collections.deque[Struck] = collections.deque(maxlen=STRUCK_KEPT)
        # Rules are looked at by the event loop: a caller in another thread must enter it (`Cluster` sets this).
        self.in_loop: Callable[[Callable[[], Any]], Any] = lambda call: call()

    # Requests

    def drop(self, *, after_seconds: float = 0.0, **which: Any) -> ActiveRule:
        """Never reaches the server; the client's connection is cut (after a while)."""
        return self.add(Fault("drop", delay_seconds=after_seconds, drop=True), **which)

    def lose_answer(self, **which: Any) -> ActiveRule:
        """It happens, and the client is not told: its connection is cut instead. Writes, unless `verb` says otherwise."""
        return self.add(Fault("answer lost", lose_answer=True), **{"verb": WRITES, **which})

    def delay(self, seconds_each: float, **which: Any) -> ActiveRule:
        """The server sees it so much later."""
        return self.add(Fault("delay", delay_seconds=seconds_each), **which)

    def conflict(self, **which: Any) -> ActiveRule:
        """409: somebody else has changed the object meanwhile. Updates and patches, unless `verb` says otherwise."""

        def make(call: Call) -> Fault:
            plural = call.resource.partition("/")[0]
            return Fault("409", refuse=errors.modified(plural, call.name, call.group).status)

        return self._add(make, {"verb": ("update", "patch"), **which})

    def too_many_requests(self, retry_after_seconds: int = 1, **which: Any) -> ActiveRule:
        """429 with Retry-After."""
        busy = errors.too_many_requests("Too many requests, please try again later.", retry_after_seconds)
        return self.add(Fault("429", refuse=busy.status), **which)

    def server_error(self, message: str = "fault", **which: Any) -> ActiveRule:
        """500"""
        return self.add(Fault("500", refuse=errors.internal(message).status), **which)

    def refuse(self, status: Object, **which: Any) -> ActiveRule:
        """Any other refusal: a Status (`meta.errors` makes them)."""
        return self.add(Fault(str(status["code"]), refuse=status), **which)

    # Watches

    def closed_watch(self, *, after_events: int = 0, **which: Any) -> ActiveRule:
        """Open watches end now, and new ones after so many events (0: at once)."""
        fault = Fault("watch closed", close=not after_events, close_after_events=after_events)
        return self._add(lambda _: fault, {**which, "verb": "watch"}, befalls=Fault("watch closed", close=True))

    def stale(self, **which: Any) -> ActiveRule:
        """Caches stay as they are: events are held back until the rule goes. Lists still tell the truth."""
        gate = Gate()
        fault = Fault("stale", hold=gate)
        return self._add(lambda _: fault, {**which, "verb": "watch"}, befalls=fault, gate=gate)

    def late_events(self, seconds_each: float, **which: Any) -> ActiveRule:
        """Each batch of events comes so much later, those of open watches too (and stay so after the rule)."""
        fault = Fault("late events", event_delay_seconds=seconds_each)
        return self._add(lambda _: fault, {**which, "verb": "watch"}, befalls=fault)

    def compaction(self, **which: Any) -> ActiveRule:
        """History until now is gone: open watches end with 410, and so do watches from before and further pages of lists."""
        revision = self._revision()
        expired = errors.expired("The provided continue parameter is too old (fault).").status
        fault = Fault("410", expire=True)

        def make(call: Call) -> Fault:
            return Fault("410", refuse=expired) if call.continues else fault

        def is_old(call: Call) -> bool:
            return call.continues or (call.verb == "watch" and 0 < call.revision < revision)

        return self._add(make, {**which, "verb": ("watch", "list")}, befalls=fault, concerns=is_old)

    # Parts

    def partition(self, part: str, **which: Any) -> ActiveRule:
        """A part ("scheduler", "controllers", a node's name, or any user) and the API server cannot reach each other."""
        users = (PARTS[part],) if part in PARTS else (part, f"system:node:{part}")
        fault = Fault("partition", drop=True)
        return self._add(lambda _: fault, {**which, "user": users}, befalls=fault)

    # Any fault

    def add(self, fault: Fault, **which: Any) -> ActiveRule:
        """Any fault, composed as one likes."""
        return self._add(lambda _: fault, which)

    def remove(self, active: ActiveRule) -> None:
        def take_away() -> None:
            gate = self._rules.pop(active, None)
            if gate is not None:
                gate.open()

        self.in_loop(take_away)

    def clear(self) -> None:
        for active in [*self._rules]:
            self.remove(active)

    def _add(
        self,
        make: Callable[[Call], Fault],
        which: dict[str, Any],
        *,
        befalls: Fault | None = None,
        gate: Gate | None = None,
        concerns: Callable[[Call], bool] = lambda call: True,
    ) -> ActiveRule:
        """`befalls` is what happens at once to open watches that fit."""

        def put() -> ActiveRule:
            rule = self._rule(make, concerns, **which)
            active = ActiveRule(rule, self.remove)
            self._rules[active] = gate
            if befalls is not None:
                self._befall(rule, befalls)
            return active

        active: ActiveRule = self.in_loop(put)
        return active

    def _rule(
        self,
        make: Callable[[Call], Fault],
        concerns: Callable[[Call], bool],
        *,
        verb: Words = (),
        resource: Words = (),
        namespace: Words = (),
        name: Words = (),
        user: Words = (),
        count: float = math.inf,
        probability: float = 1.0,
        seconds: float = math.inf,
    ) -> Rule:
        match = fault_rules.match(verb, resource, namespace, name, user)
        return Rule(match, make, count, probability, self._clock.monotonic() + seconds, concerns)

    def _befall(self, rule: Rule, fault: Fault) -> None:
        """Compaction concerns every open watch: all of them have begun before it."""
        whole = dataclasses.replace(rule, concerns=lambda call: True)
        for user, streams in self._streams.items():
            for stream in streams:
                call = fault_rules.call_of(stream.request, user)
                if call.verb == "watch" and whole.strikes(call, self._clock.monotonic(), self._chance):
                    self._note(call, fault)
                    stream.meet(fault)
        rule.struck = whole.struck

    # The ways in, for `parts`

    def transport(self, inner: Transport, user: str) -> FaultyTransport:
        """What a part that is known as `user` talks through."""
        return FaultyTransport(inner, lambda request: self._decide(request, user), self._clock, self._streams[user])

    def handler(self, handler: Handler, user_of: Callable[[Request], Any]) -> Handler:
        """What clients from outside talk to; `user_of` is the server's own authentication (StatusError: nobody)."""

        async def handle(request: Request) -> Any:
            user = ""
            with contextlib.suppress(errors.StatusError):
                user = (await user_of(request)).name

            async def decide(asked: Request) -> Fault | None:
                return self._decide(asked, user)

            wrapped = faults.faulty_handler(handler, decide, self._clock, self._streams[user])
            return await wrapped(request)

        return handle

    def _decide(self, request: Request, user: str) -> Fault | None:
        if not self._rules:
            return None
        call = fault_rules.call_of(request, user)
        now = self._clock.monotonic()
        for active in self._rules:
            if active.rule.strikes(call, now, self._chance):
                fault = active.rule.make(call)
                self._note(call, fault)
                return fault
        return None

    def _chance(self) -> float:
        return self._clock.jitter(1.0, 1.0) - 1.0

    def _note(self, call: Call, fault: Fault) -> None:
        self.struck.append(Struck(self._clock.now().isoformat(), call, fault.name))
