"""One virtual hour of 100 nodes and about 1,000 pods, with rollouts and faults: how long it takes, in one process."""

import time

from steersman.simulation import plan
from steersman.simulation import run as simulation
from steersman.simulation.plan import Size
from tests.bench.report import Figure

SIZE = Size(
    nodes=100,
    seconds=3600.0,
    namespaces=10,
    apps=10,
    replicas=20,
    changes=3,
    faults=40,
    kinds=("deployments",),
    quotas=0.0,
    urgent=0,
    budgets=0.0,
    spare_manager=0.0,
)


def _measure() -> tuple[float, simulation.Result]:
    what = plan.make(1, SIZE)
    start = time.process_time()
    result = simulation.run(what)
    return time.process_time() - start, result


def run() -> list[Figure]:
    seconds, result = _measure()
    note = f"{result.revisions:,} revisions, {result.messages:,} messages, SHA-256 {result.hash[:12]}"
    if result.problems:
        note += f"; broke: {result.problems[0]}"
    return [Figure("one virtual hour, 100 nodes, 1,000 pods", seconds, "s", goal=10.0, better="less", note=note)]
