"""Pods that answer, and one that asks."""

import datetime
import pathlib
import tempfile

from steersman.cluster import pki
from tests.conformance import hooks
from tests.conformance.live import CLOCK, Object, Space, template, wait

NETEXEC = pathlib.Path(__file__).with_name("netexec.py")
WEB_PORT = 9376
WEB = f"mkdir /www; hostname > /www/index.html; exec httpd -f -p {WEB_PORT} -h /www"


def netexec(space: Space, name: str, http: str = "", tls: str = "", udp: str = "", **spec: object) -> None:
    """A Python pod by `netexec.py`, running."""
    space.create("configmaps", {"metadata": {"name": name}, "data": {NETEXEC.name: NETEXEC.read_text()}})
    volumes = {"certs": {"secret": {"secretName": certificates(space)}}} if tls else {}
    made = hooks.python_pod(name, NETEXEC, **volumes)
    main = made["spec"]["containers"][0]
    main["env"] = [{"name": key, "value": value} for key, value in (("HTTP", http), ("TLS", tls), ("UDP", udp))]
    first = int((http or udp).partition("=")[0].partition(",")[0])
    if http:
        main["readinessProbe"] = {"tcpSocket": {"port": first}, "periodSeconds": 1}
    main["ports"] = spec.pop("ports", [])
    made["spec"].update(spec)
    space.create("pods", made)
    space.running(name)


def certificates(space: Space) -> str:
    with tempfile.TemporaryDirectory() as folder:
        authority = pki.Authority(pathlib.Path(folder), CLOCK.now().astimezone(datetime.UTC))
        pair = authority.server("server", "server", ["nobody.asks"])
        files = {"tls.crt": pair.certificate.read_text(), "tls.key": pair.key.read_text()}
    space.create("secrets", {"metadata": {"name": "certs"}, "stringData": files})
    return "certs"


def web(space: Space, name: str, replicas: int) -> set[str]:
    """A ReplicationController of pods that tell their names; their names, once they are ready."""
    labels = {"name": name}
    spec = {"replicas": replicas, "selector": labels, "template": template(labels, WEB)}
    space.create("replicationcontrollers", {"metadata": {"name": name}, "spec": spec})
    address = space.path("replicationcontrollers", name)
    wait(f"{name} is ready", lambda: space.api.get(address)["status"].get("readyReplicas") == replicas)
    return {one["metadata"]["name"] for one in space.items("pods", labelSelector=f"name={name}")}


def service(space: Space, name: str, **spec: object) -> Object:
    made: Object = space.create("services", {"metadata": {"name": name}, "spec": spec})
    return made


def client(space: Space) -> None:
    space.pod("client")
    space.running("client")


def answers(space: Space, host: str, port: int, count: int = 1) -> list[str]:
    """What the client pod is told, asking so often."""
    ask = f"timeout 3 wget -q -O - http://{host}:{port}/ || echo none"
    return space.sh("client", f"for i in $(seq {count}); do {ask}; done").split()


def answered(space: Space, host: str, port: int, names: set[str]) -> None:
    """Wait until one of them answers there."""
    wait(f"{host}:{port} answers", lambda: set(answers(space, host, port)) <= names)


def node_addresses(space: Space) -> list[str]:
    nodes = space.api.items("/api/v1/nodes")
    return [one["address"] for node in nodes for one in node["status"]["addresses"] if one["type"] == "InternalIP"]
