"""Ingress as a user meets it: kubectl creates it, requests from the machine reach the pods, and a rollout loses none."""

import contextlib
import http.client
import socket
import ssl
import subprocess
import threading

import pytest

from steersman.ingress import haproxy
from tests.clients.conftest import CLOCK, EXAMPLES, RunningCluster, started

pytestmark = [
    pytest.mark.root,
    pytest.mark.kubectl,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not haproxy.is_installed(), reason="needs HAProxy (Debian: haproxy)"),
]

WEB = (EXAMPLES / "web.yaml").read_text()
INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  tls: [{hosts: [web.test], secretName: web-tls}]
  rules:
  - host: web.test
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
      - {path: /gone, pathType: Exact, backend: {service: {name: gone, port: {name: http}}}}
"""


@pytest.fixture
def address(cluster: RunningCluster, space: str) -> str:
    """Of a web server's Ingress."""
    cluster.kubectl("apply", "-n", space, "-f", "-", stdin=f"{WEB}\n---{INGRESS}")
    cluster.kubectl("rollout", "status", "deployment/web", "-n", space, "--timeout=60s")
    path = "{.status.loadBalancer.ingress[0].ip}"
    cluster.kubectl("wait", "-n", space, "ingress/web", f"--for=jsonpath={path}", "--timeout=30s")
    found = cluster.jsonpath(path, "ingress", "web", "-n", space)
    # The proxy's worker from before may take a connection or two more until it has stopped listening.
    deadline = CLOCK.monotonic() + 30
    while _status(found) != 200:
        assert CLOCK.monotonic() < deadline
        CLOCK.pause(0.1)
    return found


def _status(address: str) -> int:
    with contextlib.closing(http.client.HTTPConnection(address, timeout=10)) as connection:
        return ask(connection)[0]


def ask(connection: http.client.HTTPConnection, path: str = "/") -> tuple[int, str]:
    connection.request("GET", path, headers={"Host": "web.test"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_requests_reach_the_pods_and_what_is_missing_is_told(cluster, space, address):
    with contextlib.closing(http.client.HTTPConnection(address, timeout=10)) as connection:
        status, text = ask(connection)
        assert status == 200
        assert "hello from web-" in text
        assert ask(connection, "/gone")[0] == 503
    cluster.wait_until_prints(f'service "{space}/gone" not found', "events", "-n", space, "--for", "ingress/web")
    described = cluster.kubectl("describe", "ingress", "web", "-n", space)
    assert "steersman" in described
    assert address in described


def test_https_with_the_certificate_of_a_secret(cluster, space, address, tmp_path):
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=web.test"
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "crt"), "-addext", "subjectAltName=DNS:web.test"]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    cluster.kubectl(
        *("create", "secret", "tls", "web-tls", "-n", space, f"--cert={tmp_path}/crt", f"--key={tmp_path}/key")
    )
    trusted = ssl.create_default_context(cafile=str(tmp_path / "crt"))
    deadline = CLOCK.monotonic() + 30
    while (shown := _https_status(address, trusted)) != "200":
        assert CLOCK.monotonic() < deadline, shown
        CLOCK.pause(0.1)


def _https_status(address: str, trusted: ssl.SSLContext) -> str:
    """Or why the certificate is not taken."""
    try:
        with (
            socket.create_connection((address, 443), 10) as plain,
            trusted.wrap_socket(plain, server_hostname="web.test") as channel,
        ):
            channel.sendall(b"GET / HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n")
            return channel.recv(4096).split()[1].decode()
    except ssl.SSLError as refused:
        return str(refused)


def test_a_rollout_loses_no_request(cluster, space, address):
    statuses: list[int] = []
    done = threading.Event()

    def keep_asking() -> None:
        while not done.is_set():
            connection = http.client.HTTPConnection(address, timeout=10)
            statuses.append(ask(connection)[0])
            connection.close()

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        images = "main=localhost/hello:2", "sidecar=localhost/hello:2"
        cluster.kubectl("set", "image", "deployment/web", *images, "-n", space)
        cluster.kubectl("rollout", "status", "deployment/web", "-n", space, "--timeout=60s")
    finally:
        done.set()
        asking.join()
    assert set(statuses) == {200}
    assert len(statuses) > 10


GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: steersman
  listeners: [{name: http, port: 8080, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: edge}]
  hostnames: [web.test]
  rules:
  - matches: [{path: {value: /in}}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]
    backendRefs: [{name: web, port: 80}]
  - matches: [{path: {value: /away}}]
    filters: [{type: RequestRedirect, requestRedirect: {hostname: else.test}}]
"""


def test_gateway_api(tmp_path):
    with contextlib.contextmanager(started)(tmp_path, "gateway", "--gateway-api") as cluster:
        cluster.wait_until_prints("steersman.io/gateway", "get", "gatewayclass")
        cluster.kubectl(
            "wait", "crd/httproutes.gateway.networking.k8s.io", "--for=condition=Established", "--timeout=30s"
        )
        cluster.kubectl("apply", "-f", "-", stdin=f"{WEB}\n---{GATEWAY}")
        cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
        cluster.kubectl("wait", "gateway/edge", "--for=condition=Programmed", "--timeout=30s")
        address = cluster.jsonpath("{.status.addresses[0].value}", "gateway", "edge")
        with contextlib.closing(http.client.HTTPConnection(address, 8080, timeout=10)) as connection:
            status, text = ask(connection, "/in")
            assert (status, text.partition("-")[0]) == (200, "hello from web")
            assert [ask(connection, path)[0] for path in ("/away", "/other")] == [302, 404]
