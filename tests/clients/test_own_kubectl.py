"""Into running containers with our own verbs: commands, files, ports, terminals, a look from beside."""

import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import urllib.request
from collections.abc import Iterator
from fcntl import ioctl

import pytest

from tests.clients.conftest import CLOCK, RunningCluster
from tests.kubectl.conftest import Done, Kubectl

pytestmark = [pytest.mark.root, pytest.mark.slow]

COMMAND = [sys.executable, "-m", "steersman.main"]


@pytest.fixture(scope="module")
def own(cluster: RunningCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """Our verbs, and a pod `box` for them."""
    kubectl = Kubectl(cluster.folder / "kubeconfig", tmp_path_factory.mktemp("own"))
    cluster.kubectl("create", "namespace", "own")
    cluster.kubectl("config", "set-context", "--current", "--namespace=own")
    cluster.kubectl("run", "box", "--image=localhost/hello:1", "--port=8080", "--labels=app=box")
    cluster.kubectl("expose", "pod", "box", "--port=80", "--target-port=8080")
    cluster.kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=30s")
    yield kubectl
    cluster.kubectl("config", "set-context", "--current", "--namespace=")
    cluster.kubectl("delete", "namespace", "own", "--wait=false")


def started(own: Kubectl, line: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **own.environment}
    return subprocess.Popen([*COMMAND, *line.split()], env=environment, stdout=subprocess.PIPE, text=True)


def ended(running: subprocess.Popen[str], how: signal.Signals) -> int:
    running.send_signal(how)
    code = running.wait(20)
    assert running.stdout is not None
    running.stdout.close()
    return code


def test_input_output_and_exit_codes(own: Kubectl) -> None:
    assert own("exec -i box -- cat", "through and back\n") == "through and back\n"
    big = "x" * 1_000_000
    assert own("exec -i box -- cat", big) == big
    assert own("exec -i box -- cat", big, KUBECTL_REMOTE_COMMAND_WEBSOCKETS="false") == big
    done = own.run("exec box -- sh -c 'echo out; echo err >&2; exit 5'")
    assert done == Done(5, "out\n", "err\ncommand terminated with exit code 5\n")
    assert "executable file `nothing` not found in $PATH" in own.fails("exec box -- nothing")


def test_files_in_and_out(own: Kubectl) -> None:
    for name in ("one", "in/two", "in/deep/three"):
        own.file(f"data/{name}", name * 10_000)
    (own.folder / "data/link").symlink_to("one")
    (own.folder / "data/empty").mkdir()
    own("cp data box:/tmp/data")
    assert own("exec box -- cat /tmp/data/in/deep/three") == "in/deep/three" * 10_000
    assert own("exec box -- readlink /tmp/data/link") == "one\n"
    assert own("exec box -- ls /tmp/data") == "empty\nin\nlink\none\n"
    done = own.run("cp own/box:/tmp/data back")
    assert done.code == 0
    assert (
        'warning: skipping symlink: "back/link" -> "one" (consider using "kubectl exec -n "own" "box" -- tar'
        in done.err
    )
    found = sorted(str(path.relative_to(own.folder / "back")) for path in (own.folder / "back").rglob("*"))
    assert found == ["empty", "in", "in/deep", "in/deep/three", "in/two", "one"]
    assert (own.folder / "back/in/two").read_text() == "in/two" * 10_000
    own("cp data/one box:/tmp/data/in")
    own("cp box:/tmp/data/in/one again --retries=2 -c box")
    assert (own.folder / "again").read_text() == "one" * 10_000
    assert own.run("cp box:/tmp/nothing x").code == 1


@pytest.mark.parametrize("speaks_websocket", ["true", "false"])
def test_a_port_of_a_service(own: Kubectl, speaks_websocket: str) -> None:
    own.environment["KUBECTL_PORT_FORWARD_WEBSOCKETS"] = speaks_websocket
    running = started(own, "port-forward service/box :80")
    assert running.stdout is not None
    told = re.fullmatch(r"Forwarding from 127\.0\.0\.1:(\d+) -> 8080\n", running.stdout.readline())
    assert told is not None
    for _ in range(3):
        with urllib.request.urlopen(f"http://127.0.0.1:{told[1]}/", timeout=10) as answer:
            assert answer.status == 200
    assert ended(running, signal.SIGINT) == 0


def test_the_api_on_a_local_port(own: Kubectl) -> None:
    running = started(own, "proxy --port=0 --reject-paths=^/nothing")
    assert running.stdout is not None
    address = running.stdout.readline().split()[-1]
    through = own.run(f"--kubeconfig=/dev/null -s http://{address} exec box -n own -- echo through")
    assert through == Done(0, "through\n", "")
    with urllib.request.urlopen(f"http://{address}/api/v1/namespaces/own/services/box:80/proxy/", timeout=10) as answer:
        assert answer.status == 200
    assert ended(running, signal.SIGTERM) != 0


def test_a_terminal(own: Kubectl) -> None:
    """Raw while it lasts: Ctrl-C goes to the shell in the container, which has learnt the size."""
    process, keys = pty.fork()
    if not process:
        os.environ.update(own.environment)
        script = 'until [ "$(stty size 2>&1)" = "30 100" ]; do sleep 0.05; done; echo sized; read x'
        os.execv(sys.executable, [*COMMAND, "exec", "-it", "box", "--", "sh", "-c", script])
    ioctl(keys, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    assert _read_until(keys, b"\r\n") == b"sized\r\n"
    os.write(keys, b"\x03")
    seen = _read_until(keys, b"exit code 130\r\n")
    assert b"command terminated with exit code 130" in seen
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 130
    os.close(keys)


def _read_until(handle: int, end: bytes, seconds: float = 30) -> bytes:
    found, deadline = b"", CLOCK.monotonic() + seconds
    while not found.endswith(end) and CLOCK.monotonic() < deadline:
        if select.select([handle], [], [], 0.2)[0]:
            try:
                found += os.read(handle, 4096)
            except OSError:  # the program has ended
                break
    return found


def test_logs_as_they_come(own: Kubectl) -> None:
    own_pod = "for i in 1 2 3; do echo line $i; sleep 0.1; done"
    own.file(
        "talker.json",
        '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"talker"},"spec":{"restartPolicy":"Never","containers":['
        + ",".join(
            f'{{"name":"{name}","image":"localhost/hello:1","command":["sh","-c","{own_pod}"]}}' for name in ("a", "b")
        )
        + "]}}",
    )
    subprocess.run(["kubectl", "create", "-f", "talker.json"], check=True, cwd=own.folder, env=own.environment)
    subprocess.run(
        ["kubectl", "wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/talker", "--timeout=30s"],
        check=True,
        env=own.environment,
    )
    lines = own("logs -f talker --all-containers --prefix").splitlines()
    assert sorted(lines) == [f"[pod/talker/{name}] line {number}" for name in ("a", "b") for number in (1, 2, 3)]


def test_a_look_from_beside(own: Kubectl, tmp_path: pathlib.Path) -> None:
    line = "debug box --image=localhost/hello:1 --target=box -c look --profile=general -q -i -- sh -c 'read x; ps; echo $x'"
    seen = own(line, "typed\n")
    assert seen.endswith("typed\n")
    assert "PID" in seen
