"""What the API server does in a second, over TLS with client certificates, every write durable in SQLite.

One server process and two client processes share the machine: on two cores the clients take part of the server's time,
so the figures are what a busy machine gives, not the most the server can do. Upstream's figures (DESIGN §9) were taken in
the same way on a machine of the same kind.
"""

import contextlib
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
                *_figures(server, Api(server)),
                Figure("memory after that load (RSS)", _rss_mb(process.pid), "MB", 2335 + 218, 8, "less"),
            ]


def _figures(server: load.Server, api: "Api") -> Iterator[Figure]:
    api.post("/api/v1/namespaces", {"metadata": {"name": "bench"}})
    api.post("/api/v1/namespaces/bench/serviceaccounts", {"metadata": {"name": "default"}})
    half = PODS // 2
    common: dict[str, Any] = {"namespace": "bench", "names": half}
    body = json.dumps(_pod("@NAME@"))
    yield _figure("create pod, durable", load.run(server, "create", PODS, body=body, **common), 1138, 3)
    stored = len(api.get_bytes("/api/v1/namespaces/bench/pods/pod-0-0"))
    yield Figure("size of such a pod as JSON", stored, "bytes")
    yield _figure("get pod", load.run(server, "get", 20_000, **common), 3804, 4)
    cached = load.run(server, "get", 20_000, query="?resourceVersion=0", **common)
    yield _figure("get pod, resourceVersion=0", cached, 7534, 2)
    yield _figure("merge-patch pod", load.run(server, "patch", 10_000, **common), 734, 3)
    lists = load.run(server, "list", 20, connections=4, query="?resourceVersion=0", **common)
    yield _figure("list all pods, resourceVersion=0", lists, 46_000, 8, times=2 * half, unit="pods/s")
    pages = load.run(server, "list", 200, connections=8, query="?limit=1000", **common)
    yield _figure("list pages of 1,000", pages, 23, 8, unit="pages/s")
    yield _watch(server, api)


def _watch(server: load.Server, api: "Api") -> Figure:
    """Creates in a namespace of their own, seen by 200 watchers."""
    api.post("/api/v1/namespaces", {"metadata": {"name": "watched"}})
    api.post("/api/v1/namespaces/watched/serviceaccounts", {"metadata": {"name": "default"}})
    since = json.loads(api.get_bytes("/api/v1/namespaces/watched/pods"))["metadata"]["resourceVersion"]
    pods = 1_000
    watchers = load.start_watchers(server, WATCHERS, pods, namespace="watched", resource_version=since)
    began = time.perf_counter()
    body = json.dumps(_pod("@NAME@"))
    load.run(server, "create", pods, namespace="watched", names=pods, body=body, workers=1)
    results = [load.finish(one) for one in watchers]
    seconds = time.perf_counter() - began
    seen = sum(one["requests"] for one in results)
    note = "; ".join(sorted({one["first_error"] for one in results if one["first_error"]}))
    return Figure(f"events delivered to {WATCHERS} watchers", seen / seconds, "events/s", 26_600, 4, note=note)


def _figure(
    name: str, result: load.Result, upstream: float, goal: float, *, times: float = 1, unit: str = "/s"
) -> Figure:
    note = f"median {result.median_ms:.1f} ms"
    if result.errors:
        note = f"{result.errors} of {result.requests} failed: {result.first_error[:300]}"
    return Figure(name, result.per_second * times, unit, upstream, goal, note=note)


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
