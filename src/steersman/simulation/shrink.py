"""Make a failing plan smaller for as long as it still fails in the same way: fewer faults, fewer steps, fewer nodes."""

import dataclasses
import re
from collections.abc import Callable, Iterator

from steersman.simulation import run
from steersman.simulation.plan import Plan
from steersman.simulation.run import Result

# Each try is a whole run.
TRIES_MAX = 120


def shrink(failed: Result, retry: Callable[[Plan], Result] = run.run) -> Result:
    """The smallest that was found."""
    best, tries = failed, 0
    while True:
        for smaller in _smaller(best.plan):
            tries += 1
            found = retry(smaller)
            if _way(found) == _way(failed):
                best = found
                break
            if tries >= TRIES_MAX:
                return best
        else:
            return best


def _way(result: Result) -> str:
    """How it failed: the first problem without the names in it."""
    return re.sub(r"\S*[\d/\[]\S*", "·", result.problems[0]) if result.problems else ""


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Large cuts first."""
    for field in ("faults", "steps"):
        items = getattr(plan, field)
        size = len(items)
        while size >= 1:
            for start in range(0, len(items), size):
                yield dataclasses.replace(plan, **{field: items[:start] + items[start + size :]})
            size //= 2
    last = f"node-{plan.nodes}"
    if plan.nodes > 1 and not any(fault.part == last for fault in plan.faults):
        yield dataclasses.replace(plan, nodes=plan.nodes - 1)
