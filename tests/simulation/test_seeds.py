"""Seeds under all faults: every invariant holds, and everything converges once faults stop."""

import concurrent.futures
import multiprocessing
import os

import pytest

from steersman.simulation import plan, run
from steersman.simulation.plan import Size

SMALL = Size(nodes=2, seconds=30.0, namespaces=1, apps=2, replicas=3, changes=2, faults=4)


def broken(seed: int) -> str:
    """ "" when all is well."""
    problems = run.run(plan.make(seed, SMALL)).problems
    return f"seed {seed}: {problems[0]}" if problems else ""


def all_broken(seeds: range) -> list[str]:
    """In two processes, made anew: forks of a threaded test run may hang."""
    anew = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(min(2, os.cpu_count() or 1), mp_context=anew) as pool:
        return [text for text in pool.map(broken, seeds, chunksize=10) if text]


@pytest.mark.slow
@pytest.mark.timeout(600)  # half a minute on two cores that have nothing else to do
def test_two_hundred_seeds():
    assert all_broken(range(200)) == []


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_thousands_of_seeds():
    assert all_broken(range(200, 5000)) == []
