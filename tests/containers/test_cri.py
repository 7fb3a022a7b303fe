"""What is special about containers of containerd: its streams, its absence, what messages become."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from steersman.containers import runtime
from steersman.containers.cri import containerd, translate
from steersman.containers.cri.remote import SCHEMA, CriRuntime
from steersman.containers.runtime import RuntimeFailure, State
from steersman.serving import channels, protobuf, remote_sessions
from steersman.serving.protobuf import Message
from steersman.serving.remote_calls import CallFailed, serve
from tests.containers import lab

real = [pytest.mark.root, pytest.mark.slow]


@pytest.fixture
async def cri(
    clean_machine: str, group: str, clock: Any, hello_archive: str, daemon: containerd.Containerd
) -> AsyncIterator[lab.Lab]:
    async with lab.cri_lab(clock, clean_machine, group, hello_archive, daemon) as found:
        yield found


class TestReal:
    pytestmark = real

    async def test_exec_with_input(self, cri: lab.Lab) -> None:
        container_id = await cri.run()
        session = await cri.node.exec(container_id, ["sh", "-c", "cat; echo end >&2; exit 3"], stdin=True, tty=False)
        await session.write_stdin(b"hello\n")
        await session.close_stdin()
        assert await lab.drain(session) == {1: b"hello\n", 2: b"end\n"}
        assert await session.wait() == 3
        await session.close()

    async def test_a_terminal(self, cri: lab.Lab) -> None:
        container_id = await cri.run()
        session = await cri.node.exec(container_id, ["sh"], stdin=True, tty=True)
        await session.resize(101, 17)
        await session.write_stdin(b"sleep 0.2; stty size\n")
        assert b"17 101" in await lab.read_until(session, b"17 101")
        await session.write_stdin(b"exit 4\n")
        assert await session.wait() == 4
        await session.close()

    async def test_a_command_that_is_not_there(self, cri: lab.Lab) -> None:
        session = await cri.node.exec(await cri.run(), ["/none"], stdin=False, tty=False)
        with pytest.raises(channels.CommandFailed, match="/none"):
            await session.wait()
        await session.close()

    async def test_attach(self, cri: lab.Lab) -> None:
        program = lab.Program("read line; echo got $line; sleep 1000", lab.FOREVER.paper)
        container_id = await cri.run(program, stdin=True)
        session = await cri.node.attach(container_id, stdin=True)
        await session.write_stdin(b"it\n")
        assert b"got it" in await lab.read_until(session, b"got it")
        await session.close()

    async def test_a_forwarded_port(self, cri: lab.Lab) -> None:
        sandbox_id = await cri.sandbox()
        server = lab.Program("mkdir /w; echo served > /w/x; httpd -p 8080 -h /w; sleep 1000", lab.FOREVER.paper)
        container_id = await cri.run(server, sandbox_id)
        await lab.until(lambda: _listens(cri, container_id))
        connection = await cri.node.port_forward(sandbox_id, 8080)
        await connection.send(b"GET /x HTTP/1.0\r\n\r\n")
        answer = b""
        while data := await connection.receive():
            answer += data
        assert answer.endswith(b"served\n")
        await connection.close()

    async def test_a_later_kubelet_finds_everything(self, cri: lab.Lab, clock: Any, group: str) -> None:
        sandbox_id = await cri.sandbox("web", labels={"a": "b"})
        running, ended = await cri.run(lab.FOREVER, sandbox_id), await cri.run(lab.exits(7), sandbox_id)
        await cri.ended(ended)
        assert isinstance(cri.node, CriRuntime)
        again = CriRuntime(cri.node._peer_address, cri.node._state_dir, clock, group)
        await again.start()
        try:
            [pod] = await again.list_sandboxes()
            assert (pod.id, pod.ready, pod.labels) == (sandbox_id, True, {"a": "b"})
            found = {one.id: (one.state, one.exit_code) for one in await again.list_containers()}
            assert found == {running: (State.RUNNING, 0), ended: (State.EXITED, 7)}
        finally:
            await again.close()

    async def test_an_end_is_told_while_nobody_asks(self, cri: lab.Lab) -> None:
        container_id = await cri.run(lab.Program("sleep 0.5; exit 5", lab.FOREVER.paper))
        async with asyncio.timeout(lab.PATIENCE_SECONDS):
            async for event in cri.node.events():
                if (event.container_id, event.kind) == (container_id, "stopped"):
                    break
        assert (await cri.status(container_id)).exit_code == 5

    async def test_limits_stand_in_the_pods_group(self, cri: lab.Lab, group: str) -> None:
        sandbox_id = await cri.sandbox(memory_limit_bytes=64 << 20)
        container_id = await cri.run(lab.FOREVER, sandbox_id, resources=runtime.Resources(memory_limit_bytes=32 << 20))
        result = await cri.node.exec_sync(container_id, ["cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes"], 5)
        assert result.stdout.strip() in (b"", str(32 << 20).encode())
        paths = [
            *Path("/sys/fs/cgroup").glob(f"*/{group}/kubepods/pod*"),
            *Path("/sys/fs/cgroup").glob(f"{group}/kubepods/pod*"),
        ]
        assert paths, "the kubelet's own tree"
        await cri.node.remove_sandbox(sandbox_id)
        assert not [path for path in paths if path.exists()]

    async def test_a_handler_nobody_knows(self, cri: lab.Lab) -> None:
        with pytest.raises(RuntimeFailure, match='no runtime for "none" is configured') as refused:
            await cri.sandbox(handler="none")
        assert refused.value.reason == "CreatePodSandboxError"


async def _listens(cri: lab.Lab, container_id: str) -> bool:
    result = await cri.node.exec_sync(container_id, ["wget", "-q", "-O", "-", "http://127.0.0.1:8080/x"], 5)
    return result.exit_code == 0


async def test_nobody_at_the_socket(tmp_path: Path, clock: Any) -> None:
    nobody = CriRuntime(str(tmp_path / "none.sock"), tmp_path, clock, "none")
    with pytest.raises(RuntimeFailure):
        await nobody.start()
    assert await nobody.not_ready() == "container runtime is down"
    await nobody.close()


class PaperDaemon:
    """Makes a sandbox for each request, and says no to it all the same."""

    def __init__(self) -> None:
        self.sandboxes: dict[str, Message] = {}

    async def run(self, request: Message) -> Message:
        self.sandboxes[f"s{len(self.sandboxes)}"] = request["config"]["metadata"]
        raise CallFailed("INTERNAL", "the pipe is broken")

    async def list(self, request: Message) -> Message:
        return {"items": [{"id": name, "metadata": meta} for name, meta in self.sandboxes.items()]}

    async def status(self, request: Message) -> Message:
        name = request["pod_sandbox_id"]
        return {"status": {"id": name, "metadata": self.sandboxes[name]}}

    async def remove(self, request: Message) -> Message:
        self.sandboxes.pop(request["pod_sandbox_id"])
        return {}


async def _nothing(request: Message) -> Message:
    return {}


async def test_a_sandbox_that_was_made_and_not_told_of_is_found(tmp_path: Path, clock: Any) -> None:
    """Also by the next process: only then is nothing left of it."""
    daemon, address = PaperDaemon(), f"unix://{tmp_path}/cri.sock"
    handlers = {"Version": _nothing, "Status": _nothing, "ListContainers": _nothing, "StopPodSandbox": _nothing}
    handlers |= {"RunPodSandbox": daemon.run, "ListPodSandbox": daemon.list, "PodSandboxStatus": daemon.status}
    services = {
        "RuntimeService": {**handlers, "RemovePodSandbox": daemon.remove},
        "ImageService": {"ImageFsInfo": _nothing},
    }
    server = await serve(address, protobuf.load(SCHEMA), services)
    node = CriRuntime(address, tmp_path / "state", clock, "none")
    await node.start()
    for attempt in range(2):
        with pytest.raises(RuntimeFailure, match=r"^rpc error: code = Internal desc = the pipe is broken"):
            await node.run_sandbox(runtime.SandboxConfig("u1", "web", "default", attempt))
    assert [(one.pod_uid, one.attempt) for one in await node.list_sandboxes()] == [("u1", 0), ("u1", 1)]
    with pytest.raises(RuntimeFailure):
        await node.run_sandbox(runtime.SandboxConfig("u2", "db", "default"))
    daemon.sandboxes["other"] = {"uid": "somebody else's"}
    await node.close()
    node = CriRuntime(address, tmp_path / "state", clock, "none")
    await node.start()
    assert {one.pod_uid for one in await node.list_sandboxes()} == {"u1", "u2"}
    for one in await node.list_sandboxes():
        await node.remove_sandbox(one.id)
    assert list(daemon.sandboxes) == ["other"]
    assert list((tmp_path / "state").iterdir()) == []
    await node.close()
    await server.stop(0)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"", 0),
        (b'{"metadata":{},"status":"Success"}', 0),
        (b'{"status":"Failure","details":{"causes":[{"reason":"ExitCode","message":"42"}]}}', 42),
    ],
)
def test_exit_codes(said: bytes, code: int) -> None:
    assert remote_sessions.exit_code(said) == code


@pytest.mark.parametrize("said", [b"no JSON", b'{"status":"Failure","message":"no such file"}'])
def test_what_is_no_exit_code(said: bytes) -> None:
    with pytest.raises(channels.CommandFailed):
        remote_sessions.exit_code(said)


def test_readiness() -> None:
    ready = {"type": "RuntimeReady", "status": True}
    assert translate.not_ready({"status": {"conditions": [ready, {"type": "NetworkReady", "status": True}]}}) == ""
    without = {"type": "NetworkReady", "reason": "NetworkPluginNotReady", "message": "Network plugin returns error"}
    assert translate.not_ready({"status": {"conditions": [ready, without]}}) == (
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
        "message:Network plugin returns error"
    )


def test_a_container_as_cri_hears_it() -> None:
    pod = runtime.SandboxConfig("u", "web", "default", host_pid=True, users=runtime.IdRange(65536))
    wanted = runtime.ContainerConfig(
        "main",
        "localhost/hello:1",
        log_path="/var/log/pods/a/main/0.log",
        tty=True,
        stop_signal="SIGRTMIN+3",
        mounts=(runtime.Mount("/a", "/b", read_only=True, propagation="rslave"),),
        resources=runtime.Resources(memory_limit_bytes=10, swap_bytes=5, cpus="0-1"),
        security=runtime.Security(
            run_as_user=0, add_capabilities=("CAP_NET_ADMIN",), seccomp="Localhost/x.json", app_armor="Localhost/mine"
        ),
    )
    found = translate.container(wanted, "sha256:1", pod)
    assert (found["log_path"], found["stop_signal"]) == ("var/log/pods/a/main/0.log", "SIGRTMINPLUS3")
    assert found["mounts"][0]["propagation"] == "PROPAGATION_HOST_TO_CONTAINER"
    assert found["mounts"][0]["uidMappings"] == [{"host_id": 65536, "container_id": 0, "length": 65536}]
    linux = found["linux"]
    assert linux["resources"]["memory_swap_limit_in_bytes"] == 15
    security = linux["security_context"]
    assert security["namespace_options"]["pid"] == "NODE"
    assert security["run_as_user"] == {"value": 0}
    assert security["capabilities"]["add_capabilities"] == ["NET_ADMIN"]
    assert security["seccomp"] == {"profile_type": "Localhost", "localhost_ref": "x.json"}
    assert security["apparmor"] == {"profile_type": "Localhost", "localhost_ref": "mine"}
    assert security["apparmor_profile"] == "localhost/mine"
    back = translate.container_status(
        {"id": "c", "annotations": found["annotations"], "state": "CONTAINER_RUNNING"}, "s", "u"
    )
    assert (back.tty, back.annotations, back.state) == (True, {}, State.RUNNING)
