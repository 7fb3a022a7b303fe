"""The supervisor with real processes: what dies is started again, what was stopped stays so, nobody is left behind."""

import os
import pathlib
import select
import signal
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from steersman.cluster import control

PROGRAM = """
    import os, pathlib, signal, sys
    from steersman.aio.clock import SystemClock
    from steersman.cluster.supervisor import Supervisor

    folder = pathlib.Path(sys.argv[1])
    supervisor = Supervisor(SystemClock(), folder / "control.sock", folder)

    def steady():
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.signal(signal.SIGUSR2, lambda *_: sys.exit("on"))
        while True:
            signal.pause()


    supervisor.add("steady", steady)
    supervisor.add("failing", lambda: sys.exit("on purpose"))
    supervisor.add("idle", steady, wanted=False)
    supervisor.command("processes", lambda _: {"processes": supervisor.statistics()})
    supervisor.command("kill", lambda m: supervisor.kill_child(m["name"]) or {})
    supervisor.command("start", lambda m: supervisor.start_child(m["name"]) or {})
    supervisor.command("ask", lambda m: supervisor.signal_child(m["name"], signal.SIGUSR1) or {})
    supervisor.command("take back", lambda m: {"done": supervisor.take_back(m["name"], signal.SIGUSR2)})
    supervisor.command("crash", lambda m: 1 / 0)
    supervisor.run(lambda: print("started", flush=True))
"""


@pytest.fixture
def running(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        yield tmp_path / "control.sock", process
        process.kill()


def child(socket: pathlib.Path, name: str) -> dict[str, Any]:
    processes = control.ask(socket, {"command": "processes"})["processes"]
    return next(p for p in processes if p["name"] == name)


def wait_gone(pid: int) -> None:
    """By pidfd: readable once the process has ended, whoever its parent is."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([descriptor], [], [], 10)[0], "still running"
    os.close(descriptor)


def wait_restarted(socket: pathlib.Path, name: str, times: int) -> dict[str, Any]:
    found = child(socket, name)
    while found["restarts"] < times or not found["pid"]:
        found = child(socket, name)
    return found


@pytest.mark.slow
def test_a_killed_child_comes_back(running):
    socket, _ = running
    before = child(socket, "steady")
    os.kill(before["pid"], signal.SIGKILL)
    after = wait_restarted(socket, "steady", 1)
    assert after["pid"] != before["pid"]


@pytest.mark.slow
def test_a_failing_child_is_tried_again_and_its_output_is_kept(running):
    socket, _ = running
    wait_restarted(socket, "failing", 2)
    assert "on purpose" in (socket.parent / "failing.log").read_text()


@pytest.mark.slow
def test_a_child_stopped_on_purpose_stays_stopped_until_started(running):
    socket, _ = running
    pid = child(socket, "steady")["pid"]
    control.ask(socket, {"command": "kill", "name": "steady"})
    wait_gone(pid)
    assert child(socket, "steady")["pid"] == 0
    control.ask(socket, {"command": "start", "name": "steady"})
    assert child(socket, "steady")["pid"] != 0
    assert child(socket, "idle") == {"name": "idle", "pid": 0, "running": False, "wanted": False, "restarts": 0}


@pytest.mark.slow
def test_a_child_that_was_asked_to_end_can_be_told_to_go_on(running):
    """It hears of it, and is started again when it ends after all."""
    socket, _ = running
    order = {"command": "take back", "name": "steady"}
    assert control.ask(socket, order) == {"done": False}, "nobody has asked it"
    control.ask(socket, {"command": "ask", "name": "steady"})
    assert not child(socket, "steady")["wanted"]
    assert control.ask(socket, order) == {"done": True}
    assert child(socket, "steady")["wanted"]
    wait_restarted(socket, "steady", 1)
    assert control.ask(socket, {**order, "name": "idle"}) == {"done": False}, "it does not run"


@pytest.mark.slow
def test_stop_leaves_nobody_behind(running):
    socket, process = running
    pid = child(socket, "steady")["pid"]
    control.ask(socket, {"command": "stop"})
    assert process.wait(10) == 0
    wait_gone(pid)
    assert not socket.exists()
    with pytest.raises(control.NotRunning):
        control.ask(socket, {"command": "processes"})


@pytest.mark.slow
def test_children_end_when_the_supervisor_is_killed(running):
    socket, process = running
    pid = child(socket, "steady")["pid"]
    process.kill()
    process.wait()
    wait_gone(pid)


@pytest.mark.slow
@pytest.mark.parametrize("message", [{"command": "no such"}, {}, {"command": "crash"}])
def test_a_bad_command_is_answered_and_survived(running, message):
    socket, _ = running
    assert "error" in control.ask(socket, message)
    assert child(socket, "steady")["running"]
