"""`steersman up --ephemeral -- COMMAND`: exit codes, signals, and nothing left behind."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import textwrap

import pytest

STEERSMAN = [sys.executable, "-m", "steersman.main", "up", "--ephemeral"]

pytestmark = pytest.mark.slow


@pytest.fixture
def started(tmp_path):
    """Starts it with a folder for temporary files of its own, which must be empty afterwards."""
    running = []
    (tmp_path / "home").mkdir()  # kubectl keeps its cache there
    (tmp_path / "tmp").mkdir()

    def start(*arguments, **more):
        environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path / "home")}
        process = subprocess.Popen(
            [*STEERSMAN, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()
    assert list((tmp_path / "tmp").iterdir()) == []


def python(program):
    return "--", sys.executable, "-c", textwrap.dedent(program)


def test_the_command_finds_a_cluster(started):
    if shutil.which("kubectl") is None:
        pytest.skip("needs a real kubectl")
    process = started("--fake-nodes", "2", "--", "kubectl", "get", "nodes", "-o", "name")
    shown, errors = process.communicate(timeout=60)
    assert (process.returncode, shown) == (0, "node/node-1\nnode/node-2\n"), errors


@pytest.mark.parametrize(
    ("command", "code"),
    [
        pytest.param(python("raise SystemExit(7)"), 7, id="exit code"),
        pytest.param(python("import os; os.kill(os.getpid(), 9)"), 137, id="killed"),
        pytest.param(("--", "/nowhere/command"), 127, id="not found"),
        pytest.param(("--", "/etc/passwd"), 126, id="not executable"),
    ],
)
def test_exit_codes(started, command, code):
    process = started(*command)
    process.communicate(timeout=60)
    assert process.returncode == code


WAITING = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: print("got TERM", flush=True) or sys.exit(5))
seen = []
signal.signal(signal.SIGINT, lambda *_: print("got INT", flush=True))
print(os.environ["KUBECONFIG"], flush=True)
while True:
    signal.pause()
"""


def test_a_signal_reaches_the_command_once(started):
    process = started(*python(WAITING))
    kubeconfig = pathlib.Path(process.stdout.readline().strip())
    assert kubeconfig.exists()
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "got INT\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.read() == "got TERM\n"
    assert process.wait(60) == 5
    assert not kubeconfig.exists()


def test_control_c_at_a_terminal(started):
    """The terminal sends it to the whole group: the command must not get it twice."""
    ours, theirs = os.openpty()
    try:
        program = """
        import signal, sys, time
        seen = []
        signal.signal(signal.SIGINT, lambda *_: seen.append(1))
        print("ready", flush=True)
        while not seen:
            time.sleep(0.01)
        time.sleep(0.3)
        sys.exit(len(seen))
        """
        process = started(*python(program), stdin=theirs, start_new_session=True, preexec_fn=_take_terminal)
        assert process.stdout.readline() == "ready\n"
        os.write(ours, b"\x03")
        assert process.wait(60) == 1
    finally:
        os.close(ours)
        os.close(theirs)


def _take_terminal():
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize("arguments", [(), ("-d",)], ids=["no command", "detached"])
def test_it_needs_a_command(started, arguments):
    process = started(*arguments)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "--ephemeral and a command belong together" in errors


@pytest.mark.root
@pytest.mark.kubectl
def test_with_a_real_node(started):
    if os.geteuid() != 0 or shutil.which("kubectl") is None:
        pytest.skip("needs root and a real kubectl")
    process = started("--nodes", "1", "--", "kubectl", "get", "nodes", "-o", "jsonpath={..status.nodeInfo.osImage}")
    shown, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    assert shown
