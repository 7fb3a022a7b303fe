"""Exec, attach, terminals, port-forward and logs of real containers."""

import asyncio
import dataclasses
import os

import pytest

from steersman.containers.runtime import RuntimeFailure
from tests.containers import lab
from tests.containers.lab import FOREVER, Lab, Program

pytestmark = pytest.mark.root


def shell(text: str) -> Program:
    return dataclasses.replace(FOREVER, shell=text)


class TestExec:
    async def test_input(self, oci: Lab):
        session = await oci.node.exec(await oci.run(), ["sh", "-c", "cat; exit 5"], stdin=True, tty=False)
        await session.write_stdin(b"hello ")
        await session.write_stdin(b"there")
        await session.close_stdin()
        assert await lab.drain(session) == {1: b"hello there", 2: b""}
        assert await session.wait() == 5
        await session.close()

    async def test_much_in_both_directions(self, oci: Lab):
        session = await oci.node.exec(await oci.run(), ["cat"], stdin=True, tty=False)
        data = os.urandom(3_000_000)

        async def write() -> None:
            await session.write_stdin(data)
            await session.close_stdin()

        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            reading = group.create_task(lab.drain(session))
        assert reading.result()[1] == data
        await session.close()

    async def test_a_terminal(self, oci: Lab):
        session = await oci.node.exec(await oci.run(), ["sh"], stdin=True, tty=True)
        assert session.tty
        await session.resize(132, 43)
        await session.write_stdin(b"tty; stty size; echo TERM is $TERM; exit 3\n")
        seen = await lab.read_until(session, b"TERM is xterm\r\n")
        assert b"/dev/pts/" in seen
        assert b"43 132" in seen
        assert await session.wait() == 3
        await session.close()

    async def test_a_command_that_is_not_there(self, oci: Lab):
        container_id = await oci.run()
        with pytest.raises(RuntimeFailure) as refused:
            await oci.node.exec(container_id, ["/no/such"], stdin=False, tty=False)
        assert "/no/such" in refused.value.message

    async def test_closing_kills_the_process(self, oci: Lab):
        container_id = await oci.run()
        session = await oci.node.exec(container_id, ["sleep", "4242"], stdin=False, tty=False)
        await session.close()

        async def gone() -> bool:
            found = await oci.node.exec_sync(container_id, ["sh", "-c", "ps | grep -c '[s]leep 4242'"], 10)
            return found.stdout == b"0\n"

        await lab.until(gone)

    async def test_many_at_once(self, oci: Lab):
        container_id = await oci.run()
        results = await asyncio.gather(
            *(oci.node.exec_sync(container_id, ["sh", "-c", f"echo {n}; exit {n}"], 30) for n in range(20))
        )
        assert [(r.exit_code, r.stdout) for r in results] == [(n, f"{n}\n".encode()) for n in range(20)]

    async def test_background_processes_do_not_hold_it_up(self, oci: Lab):
        result = await oci.node.exec_sync(await oci.run(), ["sh", "-c", "sleep 1000 & echo done"], 60)
        assert result.stdout == b"done\n"

    async def test_execs_leave_no_descriptors(self, oci: Lab):
        container_id = await oci.run()
        await oci.node.exec_sync(container_id, ["true"], 10)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            await oci.node.exec_sync(container_id, ["true"], 10)
        assert len(os.listdir("/proc/self/fd")) == before


class TestAttach:
    async def test_output_goes_to_all_and_to_the_log(self, oci: Lab):
        container_id = await oci.run(
            shell("while read line; do echo got $line; echo err >&2; done; sleep 1000"), stdin=True
        )
        first = await oci.node.attach(container_id, stdin=True)
        second = await oci.node.attach(container_id, stdin=False)
        await first.write_stdin(b"this\n")
        for session in (first, second):
            assert b"got this\n" in await lab.read_until(session, b"got this\n")
        assert "got this\n" in await oci.log(container_id)
        await first.close()
        assert await oci.node.exec_sync(container_id, ["true"], 10)
        await oci.node.stop_container(container_id, 0)
        assert await second.wait() == 137
        await lab.drain(second)
        await second.close()

    async def test_input_that_ends_with_its_first_reader(self, oci: Lab):
        container_id = await oci.run(shell("cat; echo end of file"), stdin=True, stdin_once=True)
        session = await oci.node.attach(container_id, stdin=True)
        await session.write_stdin(b"line\n")
        await session.close_stdin()
        output = await lab.drain(session)
        assert output[1] == b"line\nend of file\n"
        assert await session.wait() == 0
        await session.close()

    async def test_a_terminal(self, oci: Lab):
        container_id = await oci.run(shell("exec sh"), stdin=True, tty=True)
        session = await oci.node.attach(container_id, stdin=True)
        assert session.tty
        await session.resize(100, 30)
        await session.write_stdin(b"stty size; exit 4\n")
        await lab.read_until(session, b"30 100")
        assert await session.wait() == 4
        await session.close()

    async def test_a_slow_reader_does_not_hold_the_container_up(self, oci: Lab):
        container_id = await oci.run(
            shell("read x; head -c 8388608 /dev/zero | tr '\\0' x; echo; echo END"), stdin=True
        )
        session = await oci.node.attach(container_id, stdin=True)
        await session.write_stdin(b"go\n")
        await oci.ended(container_id)  # which is cheaper to look at again and again than 8 MiB
        assert len(await oci.log(container_id, lambda text: "END" in text)) == 8 * 1024 * 1024 + 5
        await session.close()


class TestLogs:
    async def test_long_lines_are_cut_into_partial_records(self, oci: Lab):
        container_id = await oci.run(shell("head -c 40000 /dev/zero | tr '\\0' a; echo; echo end"))
        assert await oci.log(container_id, lambda text: "end" in text) == "a" * 40000 + "\nend\n"
        with open((await oci.status(container_id)).log_path) as file:
            records = [line.split(" ", 3) for line in file]
        assert [(tag, len(text) - 1) for _, _, tag, text in records] == [
            ("P", 16384),
            ("P", 16384),
            ("F", 7232),
            ("F", 3),
        ]

    async def test_much_output_arrives_whole(self, oci: Lab):
        container_id = await oci.run(shell("seq 1 200000"))
        await oci.ended(container_id)
        expected = "".join(f"{n}\n" for n in range(1, 200001))
        assert await oci.log(container_id, lambda text: "200000" in text) == expected

    async def test_a_line_without_end_is_written_after_a_moment(self, oci: Lab):
        container_id = await oci.run(shell("printf prompt; sleep 1000"))
        assert await oci.log(container_id) == "prompt"

    async def test_the_last_line_needs_no_newline_and_gets_none(self, oci: Lab):
        container_id = await oci.run(shell("printf 'one\\ntwo'"))
        await oci.ended(container_id)
        assert await oci.log(container_id, lambda text: "two" in text) == "one\ntwo"

    async def test_rotation(self, oci: Lab):
        container_id = await oci.run(shell("read x; echo first; read x; echo second; sleep 1000"), stdin=True)
        session = await oci.node.attach(container_id, stdin=True)
        await session.write_stdin(b"\n")
        path = (await oci.status(container_id)).log_path
        assert await oci.log(container_id) == "first\n"
        os.rename(path, path + ".1")
        await oci.node.reopen_log(container_id)
        await session.write_stdin(b"\n")
        assert await oci.log(container_id) == "second\n"
        assert lab.read_log(path + ".1") == "first\n"
        await session.close()


class TestPortForward:
    async def test_a_server_in_the_pod(self, oci: Lab):
        sandbox_id = await oci.sandbox()
        container_id = await oci.run(FOREVER, sandbox_id)
        await oci.node.exec_sync(container_id, ["sh", "-c", "httpd -p 8080 -h /www"], 10)
        connection = await oci.node.port_forward(sandbox_id, 8080)
        await connection.send(b"GET /version HTTP/1.0\r\n\r\n")
        answer = b""
        while piece := await connection.receive():
            answer += piece
        assert answer.endswith(b"\r\n\r\n1\n")
        await connection.close()
