"""Every request finds its flow and level here, and its seat.

Keeps true: a request is judged by the FlowSchemas and PriorityLevelConfigurations as they are stored; those that every cluster has
come back when they are deleted; each FlowSchema says whether its level is there.
Reads and writes: both kinds.
"""

import asyncio
from collections.abc import Callable

from steersman.aio import tasks
from steersman.aio.clock import Clock
from steersman.api import flow_objects, kinds
from steersman.api.kind import Kind
from steersman.apiserver import followed, keys, metadata, users
from steersman.apiserver.flowcontrol import matching, shares
from steersman.apiserver.flowcontrol import objects as flow_objects_now
from steersman.apiserver.flowcontrol.levels import Level, Rejected, Ticket
from steersman.apiserver.metrics import Gauge
from steersman.apiserver.paths import Target
from steersman.meta import objects, times
from steersman.meta.objects import Object
from steersman.serving import messages
from steersman.store import contract

SEATS = 600  # upstream's: 400 requests in flight that read and 200 that write
BORROW_SECONDS = 10.0  # between two looks at who needs seats of others
KNOWN_MAX = 65536  # remembered answers; dropped as a whole when full and whenever a configuration changes
RETRY_SECONDS = "1"
_LONG_RUNNING = frozenset(("attach", "exec", "log", "portforward", "proxy"))


class Flow:
    """One FlowSchema at work."""

    def __init__(self, schema: Object, level: Level) -> None:
        self.schema = schema
        self.name = objects.name(schema)
        self.uid = objects.uid(schema)
        self.level = level
        self.rules = matching.rules(schema)
        self.headers = {"x-kubernetes-pf-flowschema-uid": self.uid, "x-kubernetes-pf-prioritylevel-uid": level.uid}
        self.dispatched = self.executing = self.waiting = 0
        self.rejected: dict[str, int] = {}

    def take(self) -> bool:
        """A seat without waiting, where there is one."""
        level = self.level
        if level.is_exempt or (level.executing < level.limit and not level.waiting):
            level.executing += 1
            if level.executing > level.demand:
                level.demand = level.executing
            self.dispatched += 1
            self.executing += 1
            return True
        return False

    def give(self, ticket: Ticket | None = None) -> None:
        """The request has ended."""
        self.executing -= 1
        level = self.level
        level.executing -= 1
        if level.waiting or ticket is not None:
            level.ended(ticket)

    def take_over(self, other: "Flow") -> None:
        """The figures of an earlier state of the same schema."""
        self.dispatched, self.rejected = other.dispatched, other.rejected


class Flows:
    """`start` before serving."""

    def __init__(self, store: contract.Store, clock: Clock, running: tasks.Tasks) -> None:
        self._store = store
        self._clock = clock
        self._tasks = running
        self._levels: dict[str, Level] = {}
        self._flows: list[Flow] = []
        self._known: dict[tuple[object, ...], Flow] = {}
        self._rules_of: dict[tuple[str, tuple[str, ...]], list[tuple[matching.Rule, Flow]]] = {}  # by user
        self._news = asyncio.Event()
        self._allocated_at = -BORROW_SECONDS
        self.schemas = followed.Followed(store, kinds.FLOW_SCHEMA, self._changed)
        self.configurations = followed.Followed(store, kinds.PRIORITY_LEVEL_CONFIGURATION, self._changed)
        self._changed()

    async def start(self) -> None:
        for one in (self.configurations, self.schemas):
            await one.start()
            self._tasks.keep(one.kind.plural, one.run, self._clock)
        self._tasks.keep("flow control", self._settle, self._clock)

    # On the way of a request

    def of(self, user: users.User, target: Target) -> Flow | None:
        """Its flow; None for what may take for ever and is not limited."""
        if target.subresource in _LONG_RUNNING:
            return None
        if users.MASTERS in user.groups:
            return self._flows[0]  # the mandatory schema `exempt`, whose precedence nobody else may have
        if not target.is_resource:
            return self._match(user, target)
        key = user.name, user.groups, target.verb, target.group, target.resource, target.subresource, target.namespace
        found = self._known.get(key)
        if found is None:
            found = self._match(user, target)
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[key] = found
        return found

    def _match(self, user: users.User, target: Target) -> Flow:
        """The last one matches everybody."""
        rules = self._rules_of.get(user.identity)
        if rules is None:
            if len(self._rules_of) >= KNOWN_MAX:
                self._rules_of.clear()
            rules = [(rule, flow) for flow in self._flows for rule in flow.rules if rule.concerns(user)]
            self._rules_of[user.identity] = rules
        return next((flow for rule, flow in rules if rule.covers(target)), self._flows[-1])

    async def wait(self, flow: Flow, user: users.User, target: Target) -> Ticket | None:
        """A seat, after a while. Raises Rejected."""
        self._borrow()
        if flow.take():
            return None
        flow.waiting += 1
        try:
            ticket = await flow.level.wait(f"{flow.name}/{matching.distinguisher(flow.schema, user, target)}")
            flow.dispatched += 1
            flow.executing += 1
            return ticket
        except Rejected as why:
            flow.rejected[why.reason] = flow.rejected.get(why.reason, 0) + 1
            raise
        finally:
            flow.waiting -= 1

    def _borrow(self) -> None:
        """Somebody would have to wait: see, from time to time, who needs how much."""
        now = self._clock.monotonic()
        if now - self._allocated_at < BORROW_SECONDS:
            return
        self._allocated_at = now
        limited = [level for level in self._levels.values() if not level.is_exempt]
        needs = {level.name: shares.Need(level.seats, level.demand) for level in limited}
        limits = shares.allocate(needs, SEATS)
        for level in limited:
            level.demand = level.executing + level.waiting
            level.set_limit(limits[level.name])

    # Following

    def _changed(self) -> None:
        wanted = {objects.name(one): one for one in self.configurations.objects}
        schemas = self.schemas.objects
        for name in flow_objects.MANDATORY:  # also in the moment before they are back
            wanted.setdefault(name, flow_objects.make("PriorityLevelConfiguration", name, flow_objects.LEVELS[name]))
            if name not in {objects.name(one) for one in schemas}:
                schemas.append(flow_objects.make("FlowSchema", name, flow_objects.SCHEMAS[name]))
        seats = shares.seats({name: one["spec"] for name, one in wanted.items()}, SEATS)
        known = self._levels
        self._levels = {name: known.get(name) or Level(name, self._clock) for name in wanted}
        for name, level in self._levels.items():
            level.configure(wanted[name], seats[name])
        before = {flow.name: flow for flow in self._flows}
        self._flows = [
            Flow(schema, self._levels[flow_objects_now.level_of(schema)])
            for schema in sorted(schemas, key=matching.order)
            if flow_objects_now.level_of(schema) in self._levels
        ]
        for flow in self._flows:
            if flow.name in before:
                flow.take_over(before[flow.name])
        self._known.clear()
        self._rules_of.clear()
        self._news.set()

    async def _settle(self) -> None:
        """Put back what is missing, say what dangles."""
        while True:
            await self._news.wait()
            self._news.clear()
            now = self._clock.now()
            for kind, obj in flow_objects_now.missing(self.schemas.objects, self.configurations.objects, now):
                metadata.fill_new(kind, obj, uid=self._clock.uid(), now=times.format_seconds(now))
                await self._write(kind, obj, 0)
            names = {objects.name(one) for one in self.configurations.objects}
            for schema in self.schemas.objects:
                changed = flow_objects_now.with_condition(schema, names, now)
                if changed is not None:
                    await self._write(kinds.FLOW_SCHEMA, changed, objects.revision(schema))

    async def _write(self, kind: Kind, obj: Object, revision: int) -> None:
        put = contract.Put(keys.key(kind, "", objects.name(obj)), keys.head(kind), keys.tail(obj), revision)
        cause = contract.Cause("system:apiserver", "flow control", 0, times.format_micros(self._clock.now()))
        try:
            await self._store.txn([put], cause)
        except contract.Mismatch:
            return  # it was changed meanwhile: that change is the next news

    # Figures

    def gauges(self) -> list[Gauge]:
        """Under upstream's names."""
        found: list[Gauge] = []
        for name, value in _OF_LEVEL.items():
            found += [Gauge(name, value(level), f'priority_level="{level.name}"') for level in self._levels.values()]
        for name, count in _OF_FLOW.items():
            kind = "counter" if name.endswith("_total") else "gauge"
            found += [Gauge(name, count(flow), _labels(flow), kind) for flow in self._flows]
        for flow in self._flows:
            for reason, times_rejected in flow.rejected.items():
                labels = f'{_labels(flow)},reason="{reason}"'
                found.append(Gauge(f"{_PREFIX}rejected_requests_total", times_rejected, labels, "counter"))
        return found


_PREFIX = "apiserver_flowcontrol_"
_OF_LEVEL: dict[str, Callable[[Level], float]] = {
    f"{_PREFIX}nominal_limit_seats": lambda level: level.seats.nominal,
    f"{_PREFIX}lower_limit_seats": lambda level: level.seats.lower,
    f"{_PREFIX}upper_limit_seats": lambda level: level.seats.upper,
    f"{_PREFIX}current_limit_seats": lambda level: level.limit,
    f"{_PREFIX}request_concurrency_limit": lambda level: level.seats.nominal,
    f"{_PREFIX}demand_seats_high_watermark": lambda level: level.demand,
}
_OF_FLOW: dict[str, Callable[[Flow], float]] = {
    f"{_PREFIX}dispatched_requests_total": lambda flow: flow.dispatched,
    f"{_PREFIX}current_executing_requests": lambda flow: flow.executing,
    f"{_PREFIX}current_executing_seats": lambda flow: flow.executing,
    f"{_PREFIX}current_inqueue_requests": lambda flow: flow.waiting,
    f"{_PREFIX}current_inqueue_seats": lambda flow: flow.waiting,
}


def _labels(flow: Flow) -> str:
    return f'flow_schema="{flow.name}",priority_level="{flow.level.name}"'


def refusal() -> messages.Response:
    """Upstream's answer to a request that got no seat."""
    headers = {
        "content-type": "text/plain; charset=utf-8",
        "x-content-type-options": "nosniff",
        "retry-after": RETRY_SECONDS,
    }
    return messages.Response(429, headers, b"Too many requests, please try again later.\n")
