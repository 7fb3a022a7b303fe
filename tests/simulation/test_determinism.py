"""The same seed gives the same bytes of history: in another process, with another order of sets, after other runs."""

import os
import subprocess
import sys

import pytest

from steersman.simulation import plan, run
from steersman.simulation.plan import Size

SIZE = Size(nodes=2, seconds=40.0, namespaces=1, apps=2, changes=3, faults=8)
PROGRAM = """
from steersman.simulation import plan, run
from tests.simulation.test_determinism import SIZE
print(*(run.run(plan.make(seed, SIZE)).hash for seed in range(3)))
"""


def hashes(hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.slow
def test_the_same_bytes_in_processes_with_different_hash_seeds():
    first = hashes("1")
    assert len(set(first.split())) == 3
    assert hashes("2") == first


@pytest.mark.slow
def test_the_same_bytes_again_and_after_another_run():
    first = run.run(plan.make(0, SIZE)).hash
    run.run(plan.make(1, SIZE))
    assert run.run(plan.make(0, SIZE)).hash == first
