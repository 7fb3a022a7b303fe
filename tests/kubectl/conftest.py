"""Verbs run in this process against a cluster in this process, and the same lines by a real kubectl, where there is one."""

import contextlib
import os
import pathlib
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from steersman.kubectl import main
from steersman.kubectl.streams import MemoryStreams
from steersman.testing import Cluster
from tests.clients.conftest import kubectls

COMMAND_SECONDS_MAX = 60


class Done(NamedTuple):
    code: int
    out: str
    err: str


class Kubectl:
    """`kubectl("get pods")` is what our verb prints, and fails where the verb does; `run` is however it ends."""

    def __init__(self, kubeconfig: pathlib.Path | None, folder: pathlib.Path) -> None:
        self.folder = folder
        self.environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "TERM": "dumb"}
        if kubeconfig is not None:
            self.environment["KUBECONFIG"] = str(kubeconfig)

    def run(self, line: str, stdin: str = "", **environment: str) -> Done:
        streams = MemoryStreams(stdin)
        with contextlib.chdir(self.folder):
            code = main.run(shlex.split(line), streams, {**self.environment, **environment})
        return Done(code, streams.out, streams.err)

    def __call__(self, line: str, stdin: str = "", **environment: str) -> str:
        done = self.run(line, stdin, **environment)
        assert done.code == 0, f"{line}: {done}"
        return done.out

    def fails(self, line: str, stdin: str = "", code: int = 1) -> str:
        done = self.run(line, stdin)
        assert done.code == code, f"{line}: {done}"
        return done.err

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def real(self, line: str, stdin: str = "", **environment: str) -> Done:
        """The same by the newest kubectl of this machine."""
        return self.real_words(*shlex.split(line), stdin=stdin, **environment)

    def real_words(self, *words: str, stdin: str = "", **environment: str) -> Done:
        done = subprocess.run(
            [real_kubectl(), *words],
            env={**self.environment, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
            cwd=self.folder,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def check_same(self, line: str, stdin: str = "") -> None:
        """Both say the same, ages and the program's own name aside."""
        assert made_equal(self.run(line, stdin)) == made_equal(self.real(line, stdin)), line


_AGE = re.compile(r"(?<![\w.-])(\d+[smhd]){1,2}( +|$|(?= ago| over|\)))", re.MULTILINE)
_LOG = re.compile(r"^[EWI]\d{4} .*\n", re.MULTILINE)  # klog's lines, which have times in them
_PROGRAM = re.compile(r"\bkubectl\.1\.\d+\b")


def made_equal(done: Done) -> Done:
    return Done(done.code, _AGE.sub("AGE ", done.out), _PROGRAM.sub("kubectl", _LOG.sub("", done.err)))


def real_kubectl() -> str:
    """The one with the highest version in its name, else the one on the PATH. Skips where there is none."""
    found = kubectls()
    if not found:
        pytest.skip("needs a real kubectl")
    return max(found[1:], key=lambda path: int(path.rpartition(".")[2]), default=found[0])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two nodes on paper, for all tests of a file."""
    with Cluster(nodes=2) as cluster:
        yield cluster


@pytest.fixture
def kubectl(cluster: Cluster, tmp_path: pathlib.Path) -> Kubectl:
    return Kubectl(cluster.kubeconfig, tmp_path)


@pytest.fixture
def alone(tmp_path: pathlib.Path) -> Kubectl:
    """Without any cluster."""
    return Kubectl(tmp_path / "nothing", tmp_path)
