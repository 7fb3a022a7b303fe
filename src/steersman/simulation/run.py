"""One run of a plan: the same plan gives the same bytes of history, on any machine."""

import asyncio
import contextlib
import dataclasses
import itertools
import logging
from collections.abc import Iterator

from steersman.aio import garbage, tasks
from steersman.aio.virtual_loop import VirtualLoop
from steersman.simulation import cluster as clusters
from steersman.simulation import invariants, settled, shadow
from steersman.simulation.chaos import Chaos
from steersman.simulation.cluster import SimulatedCluster
from steersman.simulation.history import UNREAD, Change, History
from steersman.simulation.plan import Plan
from steersman.simulation.user import User
from steersman.simulation.workload.step import Step
from steersman.store.contract import UnknownOutcome
from steersman.store.memory import MemoryStore

# Once the last fault has ended, everything is as wished within this: a container that crashed again and again pauses for
# up to five minutes, and a lost node's pods need its lease to run out first.
CONVERGE_SECONDS_MAX = 600.0
# As wished for this long: nothing changes any more of its own.
QUIET_SECONDS = 8.0
LOOK_SECONDS = 4.0
# The first so many problems of a run: what follows are mostly their consequences.
PROBLEMS_MAX = 10
# More writes than this in one second of virtual time: somebody writes again and again without waiting.
REVISIONS_PER_SECOND_MAX = 3_000
_CHECKS = (*invariants.AT_EVERY_REVISION, *invariants.AT_EACH_REVISION)


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """`problems`: broken invariants, first one first. `seconds`: virtual."""

    plan: Plan
    hash: str
    revisions: int
    messages: int
    seconds: float
    problems: tuple[str, ...]
    history: History

    @property
    def is_good(self) -> bool:
        return not self.problems


def run(what: Plan) -> Result:
    """Raises nothing: what goes wrong is a problem of the result."""
    base = clusters.bootstrapped().fork()
    loop = VirtualLoop()
    # What the collector ends (generators), it would end at another moment on each machine.
    with garbage.uncollected(), _listening() as crashes:
        try:
            result = loop.run_until_complete(_Run(what, crashes).run(base))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
    return result


class _Run:
    def __init__(self, what: Plan, crashes: list[str]) -> None:
        self._plan = what
        self._problems = crashes
        self._second = 0
        self._revisions = 0
        self._happening: asyncio.Task[None] | None = None

    async def run(self, base: MemoryStore) -> Result:
        cluster = SimulatedCluster(self._plan.seed, self._plan.nodes, base, self._plan.managers, self._plan.servers)
        cluster.problems = self._problems
        cluster.history.subscribe(lambda change: self._check(cluster, change))
        try:
            cluster.start()
            self._happening = asyncio.ensure_future(self._happen(cluster))
            await asyncio.wait([self._happening])
            if not self._happening.cancelled():
                self._happening.result()
        finally:
            digest, seconds = cluster.history.hash(), cluster.clock.monotonic()
            await cluster.close()
        problems = tuple(self._problems[:PROBLEMS_MAX])
        messages = cluster.network.messages
        return Result(self._plan, digest, cluster.history.revision, messages, seconds, problems, cluster.history)

    async def _happen(self, cluster: SimulatedCluster) -> None:
        async with tasks.Tasks("run") as watching:
            shadows = shadow.start(cluster, watching)
            async with tasks.Tasks("events") as running:
                running.start("chaos", Chaos(cluster, self._plan.faults).run())
                for name, steps in itertools.groupby(sorted(self._plan.steps, key=_user), _user):
                    user = User(name, cluster.outsider(name), [*steps])
                    running.start(name, user.run())
                await running.wait()
            await cluster.clock.sleep(max(0.0, self._plan.seconds - cluster.clock.monotonic()))
            await self._converge(cluster, shadows)

    async def _converge(self, cluster: SimulatedCluster, shadows: shadow.Shadows) -> None:
        clock, since = cluster.clock, None
        deadline = clock.monotonic() + CONVERGE_SECONDS_MAX
        while True:
            missing = list(itertools.islice(_missing(cluster, shadows), PROBLEMS_MAX))
            now = clock.monotonic()
            if missing:
                since = None
            elif since is None:
                since = now
            elif now - since >= QUIET_SECONDS:
                return
            if now > deadline:
                self._problems.extend(f"not converged: {one}" for one in missing)
                return
            if len(self._problems) >= PROBLEMS_MAX:
                return
            await clock.sleep(LOOK_SECONDS)

    def _check(self, cluster: SimulatedCluster, change: Change) -> None:
        self._count(change)
        for check in invariants.AT_EVERY_REVISION if change.resource in UNREAD else _CHECKS:
            for text in check(cluster.history, change):
                self._problems.append(f"revision {change.revision}: {text}")
        for look in invariants.ON_THE_NODES:
            for text in look(cluster, change):
                self._problems.append(f"revision {change.revision}: {text}")

    def _count(self, change: Change) -> None:
        if int(change.at) != self._second:
            self._second, self._revisions = int(change.at), 0
        self._revisions += 1
        if self._revisions == REVISIONS_PER_SECOND_MAX:
            text = f"{self._revisions} writes in a second, the last one of {change.key} by {change.cause.who}"
            self._problems.append(f"revision {change.revision}: does not come to rest: {text}")
            assert self._happening is not None
            self._happening.cancel()


def _missing(cluster: SimulatedCluster, shadows: shadow.Shadows) -> Iterator[str]:
    """The next check is only looked at when the one before is content: it says what is not a consequence."""
    for check in (settled.unfulfilled, *invariants.AT_THE_END):
        found = [*check(cluster)]
        yield from found
        if found:
            return
    yield from shadows.missing()


def _user(step: Step) -> str:
    return step.user


class _Crashes(logging.Handler):
    """An exception that a part logs as an error is one that it did not expect."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        crash = record.exc_info[1] if record.exc_info else None
        if crash is not None and not isinstance(crash, UnknownOutcome):
            self.found.append(f"{record.getMessage()}: {crash!r}")


@contextlib.contextmanager
def _listening() -> Iterator[list[str]]:
    """Errors of all parts as problems; everything less is not even formatted."""
    handler, root = _Crashes(), logging.getLogger("steersman")
    was = root.level, root.propagate
    root.setLevel(logging.ERROR)
    root.propagate = False
    root.addHandler(handler)
    try:
        yield handler.found
    finally:
        root.removeHandler(handler)
        root.setLevel(was[0])
        root.propagate = was[1]
