"""What will happen in one run, all of it known beforehand: what users do, and which faults strike when.

A plan is a value made from a seed. Each step and each fault draws from a stream of chance of its own, so one can be left
out without changing what the others do: that is how a failing plan is made smaller.
"""

import dataclasses
from collections.abc import Iterable

from steersman.aio.clock import Chance
from steersman.simulation import workload
from steersman.simulation.workload.step import Step

# Every kind of fault, and how often it is chosen beside the others.
FAULTS: dict[str, int] = {
    "delay": 4,  # requests and answers take long, each its own time: they overtake each other
    "lose-request": 3,
    "lose-answer": 4,  # the write happened, its author does not know
    "duplicate": 3,  # a request arrives twice, the second time later
    "partition": 3,  # a part and the API server do not reach each other
    "refuse": 3,  # 429, 500, 503, and 409 for conditional writes
    "close-watch": 3,
    "compact": 3,  # watches end, and history before now is gone: 410
    "stale": 5,  # what watches tell comes late
    "slow-store": 3,
    "unknown-outcome": 2,  # the store does not say whether it wrote
    "crash": 6,  # a part ends in the middle of what it does, and starts anew
    "skew": 2,  # a part's wall clock is wrong
    "node-loss": 2,  # kubelet and containers end at once
    "container-crash": 3,
    "isolation": 2,  # a node works on, and is cut off until it is taken for dead
}
# Upper bounds that invariants and deadlines count on.
FAULT_SECONDS_MAX = 25.0
STALE_SECONDS_MAX = 8.0
DOWN_SECONDS_MAX = 20.0
NODE_DOWN_SECONDS_MAX = 120.0
ISOLATED_SECONDS_MAX = 150.0


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """From `at` on for `seconds`. `part` "*": all. `chance`: of each message; `amount`: seconds, or messages until a crash."""

    number: int
    kind: str
    at: float
    seconds: float
    part: str
    chance: float = 1.0
    amount: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.at:8.1f} s  {self.kind} {self.part} for {self.seconds:.1f} s ({self.chance:.2f}, {self.amount:.2f})"
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """How much happens: the virtual time in which users act, and how many of what there are."""

    nodes: int = 3
    seconds: float = 120.0
    namespaces: int = 2
    apps: int = 2  # in each namespace
    replicas: int = 3  # of each, at most
    changes: int = 4  # of each app
    faults: int = 6
    alone: int = 1  # pods of their own in each namespace
    kinds: tuple[str, ...] = tuple(workload.APPS)  # of apps
    quotas: float = 0.25  # the share of namespaces with a quota
    urgent: int = 1  # Jobs that make room for themselves
    budgets: float = 0.3  # the share of Deployments and StatefulSets with a disruption budget
    spare_manager: float = 0.25  # how probable a second controller manager is
    spare_server: float = 0.25  # how probable a second API server is

    def of_hours(self, hours: float) -> "Size":
        """The same density of changes and faults over another time."""
        times = hours * 3600 / self.seconds
        return dataclasses.replace(
            self,
            seconds=hours * 3600,
            changes=max(1, round(self.changes * times)),
            faults=max(1, round(self.faults * times)) if self.faults else 0,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    nodes: int
    seconds: float
    steps: tuple[Step, ...]
    faults: tuple[Fault, ...]
    managers: int = 1  # processes that want to be the controller manager; one leads
    servers: int = 1  # API servers over the one store


def make(seed: int, size: Size = Size(), faults: Iterable[str] = FAULTS) -> Plan:
    work = workload.Size(
        size.seconds,
        size.namespaces,
        size.apps,
        size.replicas,
        size.changes,
        size.alone,
        kinds=size.kinds,
        quotas=size.quotas,
        urgent=size.urgent,
        budgets=size.budgets,
    )
    steps = workload.plan(seed, work, size.nodes)
    managers = 2 if Chance(seed, "managers").random() < size.spare_manager else 1
    servers = 2 if Chance(seed, "servers").random() < size.spare_server else 1
    kinds = [kind for kind in FAULTS if kind in set(faults)]
    chosen = tuple(_faults(seed, size, kinds, managers, servers))
    return Plan(seed, size.nodes, size.seconds, tuple(steps), chosen, managers, servers)


def servers_of(servers: int) -> list[str]:
    return ["apiserver", *(f"apiserver-{number + 1}" for number in range(1, servers))]


def managers_of(managers: int) -> list[str]:
    return ["controllers", *(f"controllers-{number + 1}" for number in range(1, managers))]


def clients(nodes: int, managers: int = 1) -> list[str]:
    """Everything that can be cut off, made wrong or crashed, beside the API servers and the store."""
    return [*managers_of(managers), "scheduler", "proxy", *(f"node-{number + 1}" for number in range(nodes))]


def _faults(seed: int, size: Size, kinds: list[str], managers: int, servers: int) -> Iterable[Fault]:
    if not kinds:
        return
    for number in range(size.faults):
        chance = Chance(seed, "fault", number)
        [kind] = chance.choices(kinds, [FAULTS[kind] for kind in kinds])
        at = chance.uniform(0, size.seconds)
        yield _fault(number, kind, round(at, 3), chance, size.nodes, managers, servers)


def _fault(number: int, kind: str, at: float, chance: Chance, nodes: int, managers: int, servers: int) -> Fault:
    seconds = round(chance.uniform(1, FAULT_SECONDS_MAX), 3)
    # Controllers and scheduler decide most: half of what strikes one part strikes them.
    deciding = [*managers_of(managers), "scheduler"]
    some = chance.choice(deciding) if chance.random() < 0.5 else chance.choice(clients(nodes, managers))
    node = f"node-{chance.randrange(nodes) + 1}"
    server = servers_of(servers)[number % servers]
    often = round(chance.uniform(0.05, 0.6), 3)
    everyone = chance.choice([some, "*"])
    match kind:
        case "delay":
            return Fault(number, kind, at, seconds, everyone, often, round(chance.uniform(0.01, 4), 3))
        case "lose-request" | "lose-answer" | "refuse":
            return Fault(number, kind, at, seconds, everyone, often)
        case "duplicate":
            return Fault(number, kind, at, seconds, everyone, often, round(chance.uniform(0.01, 4), 3))
        case "stale":
            return Fault(number, kind, at, seconds, everyone, 1.0, round(chance.uniform(0.01, STALE_SECONDS_MAX), 3))
        case "partition":
            return Fault(number, kind, at, seconds, some)
        case "close-watch":
            return Fault(number, kind, at, 0.0, everyone)
        case "compact" | "slow-store" | "unknown-outcome":
            return Fault(number, kind, at, seconds, "store", often, round(chance.uniform(0.001, 0.5), 3))
        case "crash":
            part = chance.choice([server, some, some])
            return Fault(
                number, kind, at, round(chance.uniform(1, DOWN_SECONDS_MAX), 3), part, 1.0, chance.randrange(40)
            )
        case "skew":
            return Fault(
                number, kind, at, seconds, chance.choice([some, server]), 1.0, round(chance.uniform(-600, 600))
            )
        case "isolation":
            return Fault(number, "partition", at, round(chance.uniform(60, ISOLATED_SECONDS_MAX), 3), node)
        case "node-loss":
            return Fault(number, kind, at, round(chance.uniform(1, NODE_DOWN_SECONDS_MAX), 3), node)
        case _:
            return Fault(number, kind, at, seconds, node, often)
