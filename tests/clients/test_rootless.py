"""The same cluster for a user who is not root: inside a user namespace, with the real kubectl outside of it."""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator

import pytest

import steersman
from tests.clients.conftest import EXAMPLES, RunningCluster, free_port, kill_everything, steersman_processes

pytestmark = [pytest.mark.root, pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(300)]

NOBODY = 65534

# The interpreter and the checkout may lie where other users cannot read. In a mount namespace of its own, root shows
# them to the user somewhere else, and then becomes that user.
AS_NOBODY = """
set -e
mount --bind "$BASE" "$SHOWN/python"; mount --bind "$SITE" "$SHOWN/site"; mount --bind "$SOURCE" "$SHOWN/src"
exec setpriv --reuid=65534 --regid=65534 --clear-groups env -i HOME="$SHOWN/home" PATH="$PATH" \
    LD_LIBRARY_PATH="$SHOWN/python/lib" PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$SHOWN/src:$SHOWN/site" \
    "$SHOWN/python/bin/python$VERSION" -m steersman.main "$@"
"""


class RootlessCluster(RunningCluster):
    def steersman(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", AS_NOBODY, "sh", *arguments],
            env={
                "PATH": os.environ["PATH"],
                "SHOWN": str(self.folder),
                "BASE": sys.base_prefix,
                "SITE": sysconfig.get_paths()["purelib"],
                "SOURCE": str(pathlib.Path(steersman.__path__[0]).parent),
                "VERSION": f"{sys.version_info.major}.{sys.version_info.minor}",
            },
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.folder / "home" / ".kube" / "config")}


@pytest.fixture
def rootless() -> Iterator[RunningCluster]:
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    if shutil.which("kubectl") is None:
        pytest.skip("needs a real kubectl")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="stm-"))
    folder.chmod(0o755)
    for name in ("python", "site", "src", "home"):
        (folder / name).mkdir()
    os.chown(folder / "home", NOBODY, NOBODY)
    cluster = RootlessCluster(f"rootless-{os.getpid()}", folder, free_port())
    try:
        yield cluster
    finally:
        cluster.steersman("down", "--purge", "--name", cluster.name, check=False)
        shutil.rmtree(folder)


def test_a_user_runs_the_first_session_and_it_survives_a_kill(rootless):
    up = ("up", "-d", "--name", rootless.name, "--port", str(rootless.port), "--example-images")
    rootless.steersman(*up)
    rootless.kubectl("apply", "-f", str(EXAMPLES / "web.yaml"))
    rootless.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    said = rootless.kubectl("exec", "deploy/web", "-c", "main", "--", "wget", "-q", "-O", "-", "http://web")
    assert said.startswith("hello from web-")
    facts = "jsonpath={range .items[*]}{.metadata.uid} {range .status.containerStatuses[*]}{.containerID} {end}{end}"
    before = rootless.kubectl("get", "pods", "-o", facts)
    kill_everything(rootless)
    assert rootless.kubectl_fails("get", "nodes")
    rootless.steersman(*up)
    assert rootless.kubectl("get", "pods", "-o", facts) == before
    rootless.steersman("down", "--purge", "--name", rootless.name)
    assert steersman_processes(rootless) == []
