"""The kubelet's own API."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from steersman.aio.clock import VirtualClock
from steersman.containers.cri_log import records
from steersman.kubelet.server import KubeletServer
from steersman.serving import websocket
from steersman.serving.messages import MemoryDuplex, Peer, Request, Response
from tests.aio import virtual
from tests.kubelet import world

API_SERVER = Peer("127.0.0.1", "kube-apiserver-kubelet-client")


class Served:
    def __init__(self, here: world.World) -> None:
        assert here.kubelet is not None
        self.server = KubeletServer([here.kubelet], here.clock)

    async def get(
        self, path: str, query: str = "", peer: Peer = API_SERVER, headers: dict[str, str] | None = None
    ) -> Response:
        return await self.server.handle(Request("GET", path, query, headers or {}, peer=peer))

    async def text(self, path: str, query: str = "") -> str:
        answer = await self.get(path, query)
        if answer.stream is not None:
            answer.body = b"".join([piece async for piece in answer.stream])
        return answer.body.decode()


def run(test: Any, folder: Path, **about: Any) -> None:
    async def body(clock: VirtualClock) -> None:
        here = world.make(clock, folder)
        async with here.running():
            here.pod(**about)
            await here.until(lambda: here.status().get("containerStatuses"))
            await test(here, Served(here))

    virtual.run(body)


@pytest.mark.parametrize(
    ("peer", "code"),
    [
        (API_SERVER, 200),
        (Peer("", "admin", ("system:masters",)), 200),
        (Peer("", "someone"), 403),
        (Peer(""), 401),
    ],
    ids=["API server", "administrator", "someone", "nobody"],
)
def test_only_the_api_server_may_ask(tmp_path: Path, peer: Peer, code: int) -> None:
    async def test(here: world.World, served: Served) -> None:
        assert (await served.get("/pods", peer=peer)).status == code
        assert (await served.get("/healthz", peer=peer)).status == 200

    run(test, tmp_path)


def test_what_it_is_and_was_started_with(tmp_path: Path) -> None:
    async def test(here: world.World, served: Served) -> None:
        assert await served.text("/metrics/slis") == ""
        await served.text("/healthz")
        assert 'kubernetes_healthcheck{name="syncloop",type="healthz"} 1\n' in await served.text("/metrics/slis")
        assert (await served.text("/statusz")).startswith("\nkubelet statusz\nWarning: ")
        assert (await served.text("/flagz")).startswith("\nkubelet flagz\nWarning: ")
        assert (await served.get("/statusz", headers={"accept": "application/json"})).status == 406
        assert (await served.get("/flagz", peer=Peer("", "someone"))).status == 403
        assert (await served.get("/statusz/more")).status == 404

    run(test, tmp_path)


def test_logs_of_now_and_before(tmp_path: Path) -> None:
    async def test(here: world.World, served: Served) -> None:
        await here.until(lambda: here.container()["restartCount"] == 1)
        assert await served.text("/containerLogs/default/web/main") == "hello\n"
        assert await served.text("/containerLogs/default/web/main", "previous=true&timestamps=true") == (
            "2026-01-01T00:00:00.000000000Z hello\n"
        )
        assert await served.text("/containerLogs/default/web/main", "tailLines=0") == ""

    run(test, tmp_path, annotations={"fake.steersman.dev/logs": "hello\n", "fake.steersman.dev/run-seconds": "5"})


def test_a_followed_log_ends_with_its_container(tmp_path: Path) -> None:
    async def test(here: world.World, served: Served) -> None:
        await here.until_running()
        reading = asyncio.ensure_future(served.text("/containerLogs/default/web/main", "follow=true"))
        found = (await here.runtime.list_containers())[0]
        with Path(found.log_path).open("ab") as log:
            log.write(records(here.clock.now(), "stdout", "more"))
        await here.clock.sleep(1)
        assert not reading.done()
        here.runtime.exit(found.id)
        assert await reading == "hello\nmore\n"

    run(test, tmp_path, annotations={"fake.steersman.dev/logs": "hello\n"})


@pytest.mark.parametrize(
    ("path", "query", "code", "message"),
    [
        ("/containerLogs/default/none/main", "", 404, 'pods "none" not found'),
        ("/containerLogs/default/web/none", "", 400, "container none is not valid for pod web"),
        (
            "/containerLogs/default/web/main",
            "previous=true",
            400,
            'previous terminated container "main" in pod "web" not found',
        ),
        ("/containerLogs/default/web/main", "tailLines=x", 400, 'unable to parse "tailLines": "x" is not a number'),
        ("/exec/default/web/main", "output=1", 400, "you must specify at least one command for the container"),
        ("/nothing", "", 404, "the server could not find the requested resource"),
    ],
)
def test_refusals(tmp_path: Path, path: str, query: str, code: int, message: str) -> None:
    async def test(here: world.World, served: Served) -> None:
        await here.until_running()
        answer = await served.get(path, query)
        assert answer.status == code
        assert json.loads(answer.body)["message"] == message

    run(test, tmp_path)


def test_a_container_that_waits_says_why(tmp_path: Path) -> None:
    async def test(here: world.World, served: Served) -> None:
        answer = await served.get("/containerLogs/default/web/main")
        text = 'container "main" in pod "web" is waiting to start: trying and failing to pull image'
        assert json.loads(answer.body)["message"] == text

    run(test, tmp_path, containers=[world.container(image="missing.fake.steersman.dev/no:1")])


def test_exec(tmp_path: Path) -> None:
    async def test(here: world.World, served: Served) -> None:
        await here.until_running()
        headers = websocket.ask(["v5.channel.k8s.io"])
        answer = await served.get("/exec/default/web/main", "command=ls&output=1&error=1", headers=headers)
        assert answer.status == 101
        assert answer.upgrade is not None
        mine, theirs = MemoryDuplex.pair()
        serving = asyncio.ensure_future(answer.upgrade(theirs))
        client = websocket.WebSocket(mine, client=True)
        seen: dict[int, bytes] = {}
        while (message := await client.receive()) is not None:
            seen[message[0]] = seen.get(message[0], b"") + message[1:]
        assert seen[1] == b"files"
        assert json.loads(seen[3])["details"]["causes"][0]["message"] == "2"
        await serving

    answers = {"ls": {"exit_code": 2, "stdout": "files"}}
    run(test, tmp_path, annotations={"fake.steersman.dev/exec": json.dumps(answers)})


def test_statistics(tmp_path: Path) -> None:
    async def test(here: world.World, served: Served) -> None:
        await here.until_running()
        summary = json.loads(await served.text("/stats/summary"))
        assert summary["node"]["nodeName"] == world.NODE
        assert summary["pods"][0]["podRef"]["name"] == "web"
        assert summary["pods"][0]["containers"][0]["memory"]["workingSetBytes"] == 1000
        metrics = await served.text("/metrics/resource")
        assert 'container_memory_working_set_bytes{container="main",namespace="default",pod="web"} 1000 17' in metrics
        assert "# TYPE pod_cpu_usage_seconds_total counter" in metrics
        assert 'pod_memory_working_set_bytes{namespace="default",pod="web"} 1000 17' in metrics
        assert metrics.endswith("resource_scrape_error 0\n")
        beside = await served.text("/metrics/cadvisor")
        assert 'container_memory_rss{container="main",id="/kubepods/besteffort/pod' in beside
        assert 'interface="eth0",namespace="default",pod="web"} 0' in beside
        own = await served.text("/metrics")
        assert "kubelet_running_pods 1\n" in own
        assert 'kubelet_running_containers{container_state="running"} 1\n' in own
        assert "kubelet_started_pods_total 1\n" in own
        assert 'kubelet_runtime_operations_total{operation_type="run_podsandbox"} 1\n' in own
        assert 'kubelet_pod_start_duration_seconds_bucket{le="0.5"} 1\n' in own
        configuration = json.loads(await served.text("/configz"))["kubeletconfig"]
        assert (configuration["kind"], configuration["maxPods"]) == ("KubeletConfiguration", 110)
        assert [one["spec"]["containers"] for one in json.loads(await served.text("/runningpods/"))["items"]] == [
            [{"name": "main", "image": "localhost/hello:1"}]
        ]
        assert [pod["metadata"]["name"] for pod in json.loads(await served.text("/pods"))["items"]] == ["web"]

    run(test, tmp_path, annotations={"fake.steersman.dev/memory": "1000"})
