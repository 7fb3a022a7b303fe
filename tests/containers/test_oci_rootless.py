"""The same runtime without root: inside a user namespace that has one id and no control groups."""

import asyncio
import shutil
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.root
async def test_a_pod_s_life(clean_machine: str):
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    process = await asyncio.create_subprocess_exec(
        *("unshare", "--user", "--map-root-user", "--mount", "--net", "--propagation", "private"),
        *(sys.executable, "-m", "tests.containers.rootless_life", clean_machine),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert output.decode().splitlines() == [
        "['web', '0', '/new']",
        "0",
        "user 1000 does not exist on this rootless node, which has only root",
    ]
