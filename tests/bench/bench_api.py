"""What the API server does in a second, over TLS with client certificates, every write durable in SQLite.

One server process and two client processes share the machine: on two cores the clients take part of the server's time,
so the figures are what a busy machine gives, not the most the server can do. Upstream's figures (DESIGN §9) were taken in
the same way on a machine of the same kind.
"""

import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

from steersman.cluster import pki
from tests.bench import load
from tests.bench.report import Figure

PODS = 11_574
WATCHERS = 200
START_SECONDS_MAX = 20.0


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="steersman-bench-") as name:
        folder = pathlib.Path(name)
        authority = pki.Authority(folder, datetime.datetime.now(datetime.UTC))
        authority.server("apiserver", "kube-apiserver", ["127.0.0.1"])
        admin = authority.client(pki.ADMIN)
        with _api_server(folder) as (process, port, started_ms):
            server = load.Server(port, str(authority.pair.certificate), str(admin.certificate), str(admin.key))
            return [
                Figure("API server ready from process start", started_ms, "ms", 4550, 11.375, "less"),
                *_figures(Load(server, process.pid), Api(server)),
                Figure("memory after that load (RSS)", _rss_mb(process.pid), "MB", 2335 + 218, 8, "less"),
            ]


def _figures(load: "Load", api: "Api") -> Iterator[Figure]:
    api.post("/api/v1/namespaces", {"metadata": {"name": "bench"}})
    api.post("/api/v1/namespaces/bench/serviceaccounts", {"metadata": {"name": "default"}})
    body = json.dumps(_pod("@NAME@"))
    yield load.figure("create pod, durable", 1138, 3, "create", PODS, body=body)
    stored = len(api.get_bytes("/api/v1/namespaces/bench/pods/pod-0-0"))
    yield Figure("size of such a pod as JSON", stored, "bytes")
    yield load.figure("get pod", 3804, 4, "get", 20_000)
    yield load.figure("get pod, resourceVersion=0", 7534, 2, "get", 20_000, query="?resourceVersion=0")
    yield load.figure("merge-patch pod", 734, 3, "patch", 10_000)
    everything = load.figure("list all pods, resourceVersion=0", 46_000, 8, "list", 20, 4, query="?resourceVersion=0")
    yield dataclasses.replace(everything, value=everything.value * PODS, unit="pods/s")
    pages = load.figure("list pages of 1,000", 23, 8, "list", 200, 8, query="?limit=1000")
    yield dataclasses.replace(pages, unit="pages/s")
    yield load.watch(api)


class Load:
    """Runs loads on one server and makes figures of them; notes say how much of a core the server used meanwhile."""

    def __init__(self, server: load.Server, pid: int) -> None:
        self._server = server
        self._pid = pid

    def figure(
        self, name: str, upstream: float, goal: float, kind: str, count: int, connections: int = 32, **more: Any
    ) -> Figure:
        before = _cpu_seconds(self._pid)
        names = PODS // 2
        result = load.run(self._server, kind, count, connections=connections, namespace="bench", names=names, **more)
        cpu = (_cpu_seconds(self._pid) - before) / result.seconds
        note = f"median {result.median_ms:.1f} ms, server {100 * cpu:.0f} % of a core"
        if result.errors:
            note = f"{result.errors} of {result.requests} failed: {result.first_error[:300]}"
        return Figure(name, result.per_second, "/s", upstream, goal, note=note)

    def watch(self, api: "Api") -> Figure:
        """Creates in a namespace of their own, seen by 200 watchers."""
        api.post("/api/v1/namespaces", {"metadata": {"name": "watched"}})
        api.post("/api/v1/namespaces/watched/serviceaccounts", {"metadata": {"name": "default"}})
        since = json.loads(api.get_bytes("/api/v1/namespaces/watched/pods"))["metadata"]["resourceVersion"]
        pods = 1_000
        watchers = load.start_watchers(self._server, WATCHERS, pods, namespace="watched", resource_version=since)
        began, before = time.perf_counter(), _cpu_seconds(self._pid)
        body = json.dumps(_pod("@NAME@"))
        load.run(self._server, "create", pods, namespace="watched", names=pods, body=body, workers=1)
        results = [load.finish(one) for one in watchers]
        seconds = time.perf_counter() - began
        cpu = (_cpu_seconds(self._pid) - before) / seconds
        seen = sum(one["requests"] for one in results)
        missing = "; ".join(sorted({one["first_error"] for one in results if one["first_error"]}))
        note = missing or f"server {100 * cpu:.0f} % of a core"
        return Figure(f"events delivered to {WATCHERS} watchers", seen / seconds, "events/s", 26_600, 4, note=note)


class Api:
    """Single requests, for preparing."""

    def __init__(self, server: load.Server) -> None:
        self._server = server
        self._context = ssl.create_default_context(cafile=server.authority)
        self._context.load_cert_chain(server.certificate, server.key)

    def post(self, path: str, obj: dict[str, Any]) -> None:
        data = json.dumps(obj).encode()
        request = urllib.request.Request(self._url(path), data, {"content-type": "application/json"})
        with contextlib.closing(urllib.request.urlopen(request, context=self._context)) as answer:
            answer.read()

    def get_bytes(self, path: str) -> bytes:
        with contextlib.closing(urllib.request.urlopen(self._url(path), context=self._context)) as answer:
            data: bytes = answer.read()
            return data

    def _url(self, path: str) -> str:
        return f"https://127.0.0.1:{self._server.port}{path}"


@contextlib.contextmanager
def _api_server(folder: pathlib.Path) -> Iterator[tuple["subprocess.Popen[bytes]", int, float]]:
    """The process, its port, and how many milliseconds it took to be ready."""
    command = [sys.executable, "-m", "tests.bench.api_process", str(folder)]
    profile = os.environ.get("BENCH_PROFILE")
    if profile:  # a file for `python -m pstats`
        command = [sys.executable, "-m", "cProfile", "-o", profile, "-m", "tests.bench.api_process", str(folder)]
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(
        [sys.executable, "-c", "import tests.bench.api_process"], env=compiled, check=True
    )  # as pip installs it
    began = time.perf_counter()
    process = subprocess.Popen(command)
    try:
        port_file = folder / "port"
        while not port_file.exists():
            assert process.poll() is None, "the API server ended"
            assert time.perf_counter() - began < START_SECONDS_MAX, "the API server did not start"
            time.sleep(0.005)
        yield process, int(port_file.read_text()), (time.perf_counter() - began) * 1000
    finally:
        process.terminate()
        process.wait(20)


def _cpu_seconds(pid: int) -> float:
    """User and system time of all its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> float:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError("VmRSS")


def _pod(name: str) -> dict[str, Any]:
    """About 3.1 kB once stored, as in the figures of upstream."""
    container = {
        "name": "main",
        "image": "registry.example.com/team/application:1.2.3",
        "command": ["/app/server", "--listen=:8080", "--log-level=info"],
        "env": [{"name": f"SETTING_{number}", "value": f"value-{number}" * 3} for number in range(12)],
        "ports": [{"containerPort": 8080, "name": "http"}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "bench", "tier": "web"}, "annotations": {"note": "n" * 500}},
        "spec": {"automountServiceAccountToken": False, "containers": [container]},
    }
