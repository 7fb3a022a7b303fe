"""Programs in Go on client-go, in the forms they speak: JSON, protobuf, both.

Needs Go and client-go ≥ 0.34: those of the machine, or a folder that `go/fetch.py` made and STEERSMAN_TEST_GO names. Building all
typed clients takes minutes the first time, so it is one of the long sets.
"""

import os
import pathlib
import shutil
import subprocess

import pytest

from steersman.testing import Cluster

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(2400)]

SOURCE = pathlib.Path(__file__).parent / "go"
BUILD_SECONDS_MAX = 1800
RUN_SECONDS_MAX = 300


def environment() -> dict[str, str]:
    """For Go without modules. Skips where there is no Go or no client-go."""
    folder = pathlib.Path(os.environ.get("STEERSMAN_TEST_GO", "/"))
    go = shutil.which("go", path=os.pathsep.join(map(str, sorted(folder.glob("usr/lib/go-1.*/bin"))))) or shutil.which(
        "go"
    )
    if go is None:
        pytest.skip("there is no Go")
    libraries = folder / "usr/share/gocode"
    if not (libraries / "src/k8s.io/api/resource/v1").exists():
        pytest.skip("there is no client-go, or only one older than 0.34")
    return {
        "PATH": f"{pathlib.Path(go).parent}:{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),
        "GOROOT": str(pathlib.Path(go).resolve().parent.parent),
        "GOPATH": str(libraries),
        "GO111MODULE": "off",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    made = tmp_path_factory.mktemp("go") / "client.test"
    command = ["go", "test", "-c", "-p", "1", "-o", str(made), "."]
    done = subprocess.run(
        command, cwd=SOURCE, env=environment(), capture_output=True, text=True, timeout=BUILD_SECONDS_MAX, check=False
    )
    assert done.returncode == 0, done.stderr
    return made


def test_client_go(program: pathlib.Path):
    with Cluster(nodes=1) as cluster:
        done = subprocess.run(
            [program, "-test.v"],
            env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("--- PASS") >= 24  # six tests, each in three forms
