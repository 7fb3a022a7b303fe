"""The simulator finds bugs: each of a list of known ones is planted, and found, where without it all is well."""

import pytest

from steersman.simulation import plan, run
from tests.simulation import bugs
from tests.simulation.bugs import Bug

SEEDS_MAX = 2_000
NEAR = 30  # the recorded seed moves when the workload changes a little


def problems(bug: Bug, seed: int) -> tuple[str, ...]:
    return run.run(plan.make(seed, bug.size, bug.faults)).problems


def first_found(bug: Bug, seeds: range, monkeypatch: pytest.MonkeyPatch) -> int:
    with monkeypatch.context() as patch:
        bug.plant(patch)
        for seed in seeds:
            if problems(bug, seed):
                return seed
    raise AssertionError(f"not found in {seeds}")


@pytest.mark.slow
@pytest.mark.parametrize("bug", bugs.BUGS, ids=lambda bug: bug.name)
def test_it_is_found(bug, monkeypatch):
    seed = first_found(bug, range(bug.found_at, bug.found_at + NEAR), monkeypatch)
    assert problems(bug, seed) == ()


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("bug", bugs.BUGS, ids=lambda bug: bug.name)
def test_it_is_found_from_the_first_seed_on(bug, monkeypatch):
    first_found(bug, range(SEEDS_MAX), monkeypatch)
