"""The real HAProxy in front of small servers on loopback: what clients and servers see."""

import asyncio
import contextlib
import dataclasses
import json
import pathlib
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from steersman.aio.clock import SystemClock
from steersman.ingress import certificates, haproxy, haproxy_config, routes
from steersman.ingress.backends import Backend, Server
from steersman.ingress.routes import Action, Condition, Headers, Redirect, Rewrite, Rule, Target
from steersman.ingress.wanted import UNAVAILABLE, Certificate, Port, Wanted

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not haproxy.is_installed(), reason="needs HAProxy (Debian: haproxy)"),
]
CLOCK = SystemClock()
SECONDS = 10.0


@dataclasses.dataclass
class Asked:
    rules: list[Rule]
    backends: dict[str, Backend] = dataclasses.field(default_factory=dict)
    certificates: list[Certificate] = dataclasses.field(default_factory=list)
    https_only: set[str] = dataclasses.field(default_factory=set)


@dataclasses.dataclass
class Edge:
    """HAProxy, and how a test asks it."""

    proxy: haproxy.Haproxy
    folder: pathlib.Path
    listen: haproxy_config.Listen
    http_port: int
    https_port: int
    pem: str
    slots: dict[str, int] = dataclasses.field(default_factory=dict)

    async def show(self, asked: "Asked") -> haproxy_config.Config:
        """The same on both ports."""
        ports = {
            number: Port(number, secure, asked.rules, asked.certificates, set() if secure else asked.https_only)
            for number, secure in ((self.http_port, False), (self.https_port, True))
        }
        config = haproxy_config.build(Wanted(ports, asked.backends), self.listen, self.folder, self.slots, self.pem)
        await self.proxy.show(config)
        self.slots = {name: len(servers) for name, servers in config.servers.items()}
        return config

    def url(self, path: str = "/", scheme: str = "http") -> str:
        port = self.http_port if scheme == "http" else self.https_port
        return f"{scheme}://127.0.0.1:{port}{path}"

    async def ask(
        self, path: str = "/", host: str = "a.test", method: str = "GET", **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """The status, and what the server behind saw of the request (its own name as `server`)."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url(path), headers={"Host": host, **headers}, allow_redirects=False) as answer,
        ):
            text = await answer.text()
            seen = json.loads(text) if answer.content_type == "application/json" else {"text": text}
            return answer.status, seen | {"answer": answer.headers}


@pytest.fixture
async def edge(tmp_path: pathlib.Path) -> AsyncIterator[Edge]:
    http_port, https_port = _free_ports(2)
    folder = tmp_path / "haproxy"
    listen = haproxy_config.Listen(("127.0.0.1",), connections_max=500)
    pem = certificates.default_pem(tmp_path / "default.pem", CLOCK)
    try:
        yield Edge(haproxy.Haproxy(folder, CLOCK), folder, listen, http_port, https_port, pem)
    finally:
        haproxy.end(folder)


@contextlib.asynccontextmanager
async def server(name: str) -> AsyncIterator[Server]:
    """Answers what it saw; echoes on a WebSocket; `/slow` streams two pieces, the second when it is told to."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade") == "websocket":
            return await _echo(request)
        seen = {"server": name, "path": request.path_qs, "method": request.method, "headers": dict(request.headers)}
        return web.json_response(seen | {"body": (await request.read()).decode()}, headers={"X-Origin": name})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    (port,) = _free_ports(1)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield Server("127.0.0.1", port)
    finally:
        await runner.cleanup()


async def _echo(request: web.Request) -> web.WebSocketResponse:
    channel = web.WebSocketResponse()
    await channel.prepare(request)
    async for message in channel:
        await channel.send_str(f"echo {message.data}")
    return channel


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in found]


def wanted(*rules: Rule, **servers: Server) -> Asked:
    return Asked(list(rules), {name: Backend(name, (one,)) for name, one in servers.items()})


def to(backend: str, host: str = "a.test", path: str = "/", **more: object) -> Rule:
    return Rule(host, path, Action((Target(backend),)), **more)  # type: ignore[arg-type]


async def test_requests_find_their_backend(edge):
    async with server("one") as one, server("two") as two:
        await edge.show(
            wanted(
                to("one"),
                to("two", path="/two"),
                to("one", path="/two", exact=True),
                to("two", host="*.wild.test"),
                to("two", host="**.deep.test"),
                one=one,
                two=two,
            )
        )
        asked = [
            ("/", "a.test"),
            ("/two/x", "A.test:80"),
            ("/two", "a.test"),
            ("/", "b.wild.test"),
            ("/", "x.y.deep.test"),
        ]
        assert [(await edge.ask(*each))[1]["server"] for each in asked] == ["one", "two", "one", "two", "two"]
        assert [(await edge.ask("/", host))[0] for host in ("b.test", "c.b.wild.test", "deep.test")] == [404, 404, 404]


async def test_servers_are_told_who_asked_and_cannot_be_lied_to(edge):
    async with server("one") as one:
        await edge.show(wanted(to("one"), one=one))
        lie = {"X-Forwarded-For": "1.2.3.4", "X-Real-IP": "1.2.3.4", "X-Forwarded-Proto": "https"}
        _, seen = await edge.ask(**lie)
        headers = seen["headers"]
        assert (headers["X-Forwarded-For"], headers["X-Real-IP"], headers["X-Forwarded-Proto"]) == (
            "127.0.0.1",
            "127.0.0.1",
            "http",
        )
        assert headers["Host"] == headers["X-Forwarded-Host"] == "a.test"
        assert headers["X-Request-ID"]


async def test_nobody_ready_is_503_and_missing_backends_too(edge):
    empty = Asked([to("none"), to(UNAVAILABLE, path="/gone")], {"none": Backend("none", ())})
    await edge.show(empty)
    assert [(await edge.ask(path))[0] for path in ("/", "/gone")] == [503, 503]


async def test_endpoints_change_without_a_reload_and_rules_with_one(edge):
    async with server("one") as one, server("two") as two:
        await edge.show(wanted(to("web"), web=one))
        worker = await edge.proxy._worker()
        assert (await edge.ask())[1]["server"] == "one"
        await edge.show(wanted(to("web"), web=two))
        assert (await edge.ask())[1]["server"] == "two"
        assert await edge.proxy._worker() == worker
        await edge.show(wanted(to("web"), to("web", path="/new"), web=two))
        assert (await edge.ask("/new"))[1]["server"] == "two"
        assert await edge.proxy._worker() != worker


async def test_no_connection_is_lost_while_everything_changes(edge):
    """Requests one after the other over kept connections, through 6 reloads and 12 changes of endpoints."""
    async with server("one") as one, server("two") as two:
        await edge.show(wanted(to("web"), web=one))
        done, answers = asyncio.Event(), []

        async def ask_on() -> None:
            async with aiohttp.ClientSession(headers={"Host": "a.test"}) as session:
                while not done.is_set():
                    async with session.get(edge.url("/")) as answer:
                        answers.append(answer.status)

        asking = [asyncio.ensure_future(ask_on()) for _ in range(4)]
        for number in range(6):
            for target in (one, two):
                await edge.show(wanted(to("web"), to("web", path=f"/{number}"), web=target))
        done.set()
        await asyncio.gather(*asking)
        assert set(answers) == {200}
        assert len(answers) > 20


async def test_a_websocket_outlives_a_reload(edge):
    async with server("one") as one:
        await edge.show(wanted(to("web"), web=one))
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(edge.url("/"), headers={"Host": "a.test"}) as channel,
        ):
            await channel.send_str("a")
            assert (await channel.receive_str()) == "echo a"
            await edge.show(wanted(to("web"), to("web", path="/new"), web=one))
            await channel.send_str("b")
            assert (await channel.receive_str()) == "echo b"


async def test_certificates_by_name_and_redirects_to_https(edge, tmp_path):
    pem = certificates.default_pem(tmp_path / "other.pem", CLOCK)
    async with server("one") as one:
        asked = wanted(to("web"), to("web", host="b.test"), web=one)
        asked.certificates.append(Certificate("default.other", pem, ("b.test",)))
        asked.https_only.add("b.test")
        await edge.show(asked)
        assert await _shown_certificate(edge, "b.test") == ssl.PEM_cert_to_DER_cert(
            pem.partition("-----BEGIN PRIVATE")[0]
        )
        default = ssl.PEM_cert_to_DER_cert(edge.pem.partition("-----BEGIN PRIVATE")[0])
        assert await _shown_certificate(edge, "a.test") == default
        status, seen = await edge.ask("/x?y=1", "b.test")
        assert (status, seen["answer"]["location"]) == (308, "https://b.test/x?y=1")


async def _shown_certificate(edge: Edge, host: str) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    _, writer = await asyncio.open_connection("127.0.0.1", edge.https_port, ssl=context, server_hostname=host)
    shown = writer.get_extra_info("ssl_object")
    assert shown.selected_alpn_protocol() == "h2"
    certificate = shown.getpeercert(binary_form=True)
    writer.close()
    return bytes(certificate)


async def test_a_refused_configuration_changes_nothing(edge):
    async with server("one") as one:
        await edge.show(wanted(to("web"), web=one))
        bad = wanted(to("web"), web=one)
        bad.certificates.append(Certificate("broken", "no PEM", ("c.test",)))
        with pytest.raises(haproxy.Refused, match=r"broken\.pem"):
            await edge.show(bad)
        assert (await edge.ask())[0] == 200


async def test_another_process_finds_it_again(edge):
    async with server("one") as one:
        config = await edge.show(wanted(to("web"), web=one))
        pid = haproxy.running(edge.folder)
        await haproxy.Haproxy(edge.folder, CLOCK).show(config)
        assert haproxy.running(edge.folder) == pid
        assert (await edge.ask())[0] == 200
    haproxy.end(edge.folder)
    assert haproxy.running(edge.folder) is None


# What HTTPRoutes ask for


async def test_conditions_are_asked_in_turn_and_fall_back(edge):
    async with server("one") as one, server("two") as two:
        await edge.show(
            wanted(
                to("one"),
                to("two", path="/v", conditions=(Condition("header", "X-Version", 'it\'s 100% "2"'),)),
                to("two", path="/q", conditions=(Condition("query", "a", "b c"), Condition("method", "", "POST"))),
                to("two", path="/r", conditions=(Condition("header", "X-Version", "^v[0-9]+$", regex=True),)),
                one=one,
                two=two,
            )
        )
        assert (await edge.ask("/v", **{"X-Version": 'it\'s 100% "2"'}))[1]["server"] == "two"
        assert (await edge.ask("/v"))[1]["server"] == "one"
        assert (await edge.ask("/q?a=b%20c", method="POST"))[1]["server"] == "two"
        assert (await edge.ask("/q?a=b%20c"))[1]["server"] == "one"
        assert (await edge.ask("/r", **{"X-Version": "v12"}))[1]["server"] == "two"
        assert (await edge.ask("/r", **{"X-Version": "xv12"}))[1]["server"] == "one"


@pytest.mark.parametrize(
    ("path", "rewrite", "asked", "seen"),
    [
        ("/foo", Rewrite(path="/new", prefix=True), "/foo", "/new"),
        ("/foo", Rewrite(path="/new", prefix=True), "/foo/bar?x=1", "/new/bar?x=1"),
        ("/foo", Rewrite(path="/", prefix=True), "/foo/bar", "/bar"),
        ("/foo", Rewrite(path="/", prefix=True), "/foo", "/"),
        ("/", Rewrite(path="/new", prefix=True), "/bar", "/new/bar"),
        ("/foo", Rewrite(path="/all"), "/foo/bar?x=1", "/all?x=1"),
        ("/f.o", Rewrite(path="/n%20w", prefix=True), "/f.o/bar", "/n%20w/bar"),
    ],
)
async def test_rewrites(edge, path, rewrite, asked, seen):
    async with server("one") as one:
        await edge.show(wanted(Rule("a.test", path, Action((Target("web"),), rewrite=rewrite)), web=one))
        assert (await edge.ask(asked))[1]["path"] == seen


@pytest.mark.parametrize(
    ("redirect", "status", "location"),
    [
        (Redirect(scheme="https"), 302, "https://a.test/foo/bar?x=1"),
        (Redirect(301, host="b.test"), 301, "http://b.test/foo/bar?x=1"),
        (Redirect(scheme="https", port=8443), 302, "https://a.test:8443/foo/bar?x=1"),
        (Redirect(path="/new", prefix=True), 302, "http://a.test/new/bar?x=1"),
        (Redirect(path="/all"), 302, "http://a.test/all?x=1"),
    ],
)
async def test_redirects(edge, redirect, status, location):
    await edge.show(wanted(Rule("a.test", "/foo", Action(redirect=redirect))))
    answered, seen = await edge.ask("/foo/bar?x=1")
    assert (answered, seen["answer"]["location"]) == (status, location)


async def test_headers_and_hosts_are_changed(edge):
    asked = Headers(set=(("X-Set", "50% 'a'"),), add=(("X-Add", "2"),), remove=("X-Gone",))
    answered = Headers(set=(("X-Origin", "hidden"),), remove=("Server",))
    action = Action(
        (Target("web"),), rewrite=Rewrite(host="inner.test"), request_headers=asked, response_headers=answered
    )
    async with server("one") as one:
        await edge.show(wanted(Rule("a.test", "/", action), web=one))
        _, seen = await edge.ask(**{"X-Set": "1", "X-Gone": "1"})
        headers = {name.lower(): value for name, value in seen["headers"].items()}
        assert (headers["x-set"], headers["x-add"], headers["host"]) == ("50% 'a'", "2", "inner.test")
        assert "x-gone" not in headers
        assert seen["answer"]["X-Origin"] == "hidden"
        assert "Server" not in seen["answer"]


async def test_weights(edge):
    async with server("one") as one, server("two") as two:
        action = Action((Target("one", 3), Target("two", 1), Target("", 0), Target("", 1)))
        await edge.show(wanted(Rule("a.test", "/", action), one=one, two=two))
        seen = [await edge.ask() for _ in range(200)]
        share = {name: sum(each[1].get("server") == name for each in seen) for name in ("one", "two")}
        errors = sum(status == 500 for status, _ in seen)
        assert share["one"] + share["two"] + errors == 200
        assert share["one"] > share["two"] > 0
        assert errors > 0


async def test_no_targets_is_500(edge):
    await edge.show(wanted(Rule("a.test", "/", Action())))
    assert (await edge.ask())[0] == 500


def test_forms_of_rules_are_told_apart():
    assert routes.plain([to("web")]) == "web"
    assert routes.plain([Rule("", "/", Action((Target("web"),), timeout_seconds=1))]) == ""


def _processes(folder: pathlib.Path) -> list[pathlib.Path]:
    name = str(folder).encode()
    return [path for path in pathlib.Path("/proc").glob("[0-9]*/cmdline") if name in _content(path)]


def _content(path: pathlib.Path) -> bytes:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""


async def _master_and_worker(folder: pathlib.Path) -> list[pathlib.Path]:
    """The master turns into another program right after its worker has started: it has no command line for a moment."""
    async with CLOCK.timeout(SECONDS):
        while len(found := _processes(folder)) != 2:
            await CLOCK.sleep(0.01)
    return found


async def test_one_that_has_not_written_its_process_id_does_not_stay(edge: Edge):
    """As when a cluster is taken down while it starts."""
    await edge.show(Asked([]))
    (edge.folder / "pid").unlink()
    haproxy.end(edge.folder)
    assert not _processes(edge.folder)


async def test_one_that_has_not_written_its_process_id_makes_room_for_the_next(edge: Edge):
    await edge.show(Asked([]))
    before = await _master_and_worker(edge.folder)
    (edge.folder / "pid").unlink()
    fresh = dataclasses.replace(edge, proxy=haproxy.Haproxy(edge.folder, CLOCK))
    await fresh.show(Asked([]))
    assert set(before).isdisjoint(await _master_and_worker(edge.folder))


def test_one_that_turns_into_another_program_is_known_all_the_time(tmp_path):
    script, config = tmp_path / "again", tmp_path / "haproxy.cfg"
    script.write_text('exec /bin/sh "$0" "$1"\n')
    with subprocess.Popen(["/bin/sh", script, config]) as process:
        try:
            (tmp_path / "pid").write_text(str(process.pid))
            assert {haproxy.running(tmp_path) for _ in range(2000)} == {process.pid}
        finally:
            process.kill()
