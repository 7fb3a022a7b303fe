"""The JavaScript client, from npm: informers, patches, exec, terminals, port-forward, metrics."""

import pathlib
import shutil
import subprocess

import pytest

from tests.clients.conftest import RunningCluster

SOURCES = pathlib.Path(__file__).parent / "javascript"

pytestmark = [pytest.mark.kubectl, pytest.mark.slow]


@pytest.fixture(scope="session")
def session_script(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A copy of the sources with the client installed beside them."""
    if not shutil.which("npm"):
        pytest.skip("no npm here")
    folder = tmp_path_factory.mktemp("javascript")
    shutil.copytree(SOURCES, folder, dirs_exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install the client: {done.stderr[-300:]}")
    return folder / "session.mjs"


def test_a_session(cluster: RunningCluster, space: str, session_script: pathlib.Path):
    done = subprocess.run(
        ["node", str(session_script), space],
        env=cluster.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split("\n")[:-1] == ["informer", "patches", "refusals", "into a pod", "metrics", "any kind"]
