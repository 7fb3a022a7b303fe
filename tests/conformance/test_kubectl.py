"""kubectl, real, on the entries of sig-cli."""

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator

from tests.conformance import servers
from tests.conformance.live import IMAGE, Object, Space, names, template, wait

PRIMARY = {"app": "agnhost", "role": "primary"}


def primary(space: Space, replicas: int = 1) -> list[str]:
    """A ReplicationController that listens on 6379, made by kubectl; its pods."""
    pods = template(PRIMARY, "mkdir /www; hostname > /www/index.html; exec httpd -f -p 6379 -h /www")
    pods["spec"]["containers"][0] |= {
        "name": "agnhost-primary",
        "ports": [{"name": "agnhost-server", "containerPort": 6379}],
    }
    spec = {"replicas": replicas, "selector": PRIMARY, "template": pods}
    made = {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": "agnhost-primary", "labels": PRIMARY},
        "spec": spec,
    }
    assert (
        space.kubectl("create", "-f", "-", stdin=json.dumps(made)) == "replicationcontroller/agnhost-primary created\n"
    )
    running(space, replicas)
    return sorted(names(space.items("pods", labelSelector="role=primary")))


def running(space: Space, count: int) -> None:
    each = "{{range .status.containerStatuses}}{{if .state.running}}+{{end}}{{end}}"
    form = "-o=template={{range .items}}{{if .status.containerStatuses}}" + each + "{{end}}{{end}}"
    wait(f"{count} run", lambda: space.kubectl("get", "pods", form, "-l", "role=primary") == "+" * count)


def test_versions_and_cluster(space: Space) -> None:
    assert "v1" in space.kubectl("api-versions").split("\n")
    said = space.kubectl("cluster-info")
    plain = re.sub("\x1b\\[[0-9;]*m", "", said)
    assert "Kubernetes control plane is running at https://" in plain
    version = json.JSONDecoder().raw_decode(space.kubectl("version", "-o", "json"))[0]  # a warning may follow
    assert version["serverVersion"].keys() >= {
        "major",
        "minor",
        "gitVersion",
        "gitCommit",
        "gitTreeState",
        "buildDate",
        "goVersion",
        "compiler",
        "platform",
    }
    assert all(version["serverVersion"][one] for one in ("major", "minor", "gitVersion"))


def test_describe(space: Space) -> None:
    (pod,) = primary(space)
    servers.service(space, "agnhost-primary", selector=PRIMARY, ports=[{"port": 6379, "targetPort": "agnhost-server"}])
    node = space.get("pods", pod)["spec"]["nodeName"]
    expected = {
        ("pod", pod): [
            "Name:",
            "Namespace:",
            "Node:",
            "Labels:",
            "role=primary",
            "Annotations:",
            "Status:",
            "IP:",
            "Controlled By:",
            "Image:",
            "State:",
            "QoS Class:",
        ],
        ("rc", "agnhost-primary"): [
            "Name:",
            "Namespace:",
            "Selector:",
            "Labels:",
            "Annotations:",
            "Replicas:",
            "Pods Status:",
            "Pod Template:",
            "Image:",
            "Events:",
        ],
        ("service", "agnhost-primary"): [
            "Name:",
            "Namespace:",
            "Labels:",
            "Annotations:",
            "Selector:",
            "Type:",
            "ClusterIP",
            "IP:",
            "Port:",
            "Endpoints:",
            "Session Affinity:",
        ],
        ("node", node): [
            "Name:",
            "Labels:",
            "Annotations:",
            "CreationTimestamp:",
            "Conditions:",
            "Type",
            "Status",
            "LastHeartbeatTime",
            "LastTransitionTime",
            "Reason",
            "Message",
            "Addresses:",
            "Capacity:",
            "Version:",
        ],
        ("namespace", space.name): ["Name:", "Labels:", "Annotations:", "Status:", "Active"],
    }
    for what, words in expected.items():
        said = space.kubectl("describe", *what)
        positions = [said.find(word) for word in words]
        assert -1 not in positions, (what, words[positions.index(-1)], said)


def test_expose(space: Space) -> None:
    primary(space)
    for what, name, port in (("rc", "agnhost-primary", "1234"), ("service", "rm2", "2345")):
        new = {"rc": "rm2", "service": "rm3"}[what]
        said = space.kubectl("expose", what, name, f"--name={new}", f"--port={port}", "--target-port=6379")
        assert said == f"service/{new} exposed\n"
        found = space.get("services", new)["spec"]["ports"][0]
        assert (str(found["port"]), found["targetPort"]) == (port, 6379)
        wait("its endpoint", lambda: space.get("endpoints", new)["subsets"][0]["ports"][0]["port"] == 6379)


def test_label_patch_and_replace(space: Space) -> None:
    (pod,) = primary(space)
    space.kubectl("label", "pods", pod, "testing-label=testing-label-value")
    assert "testing-label-value" in space.kubectl("get", "pod", pod, "-L", "testing-label")
    space.kubectl("label", "pods", pod, "testing-label-")
    assert "testing-label-value" not in space.kubectl("get", "pod", pod, "-L", "testing-label")
    space.kubectl("patch", "pod", pod, "-p", '{"metadata":{"annotations":{"x":"y"}}}')
    assert space.get("pods", pod)["metadata"]["annotations"]["x"] == "y"
    said = space.kubectl(
        "run", "httpd", f"--image={IMAGE}", "--labels=run=httpd", "--restart=Never", "--", "sleep", "100000"
    )
    assert said == "pod/httpd created\n"
    assert space.running("httpd")["spec"]["restartPolicy"] == "Never"
    shown = space.kubectl("get", "pod", "httpd", "-o", "json")
    space.kubectl("replace", "-f", "-", stdin=shown.replace(IMAGE, "localhost/hello:2"))
    assert space.get("pods", "httpd")["spec"]["containers"][0]["image"] == "localhost/hello:2"


def test_dry_run_and_diff(space: Space) -> None:
    space.kubectl("run", "dry", f"--image={IMAGE}")
    change = '{"spec":{"containers":[{"name": "dry","image": "localhost/hello:2"}]}}'
    said = space.kubectl("patch", "pod", "dry", "-p", change, "--dry-run=server")
    assert said.startswith("pod/dry patched")
    assert space.get("pods", "dry")["spec"]["containers"][0]["image"] == IMAGE
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "httpd"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "httpd"}}, "template": template({"app": "httpd"})},
    }
    space.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    changed = json.dumps(body).replace(IMAGE, "localhost/hello:2")
    said = space.kubectl("diff", "-f", "-", stdin=changed, code=1)
    assert re.search(rf"^-\s+- image: {IMAGE}$|^-\s+image: {IMAGE}$", said, re.MULTILINE)
    assert re.search(r"^\+\s+(- )?image: localhost/hello:2$", said, re.MULTILINE)


def test_scale_a_controller(space: Space) -> None:
    primary(space, 2)
    for count in (1, 2):
        space.kubectl("scale", "rc", "agnhost-primary", f"--replicas={count}", "--timeout=5m")
        running(space, count)
    space.kubectl(
        "delete",
        "--grace-period=0",
        "--force",
        "-f",
        "-",
        stdin=space.kubectl("get", "rc", "agnhost-primary", "-o", "json"),
    )
    assert "No resources found" in space.kubectl("get", "rc,svc", "-l", "role=primary", "--no-headers")
    wait("no pod is left", lambda: not space.items("pods", labelSelector="role=primary"))


def test_logs(space: Space) -> None:
    line = "$i something /api/v1/namespaces/ns/pods/$(hostname) $i"
    script = f"for i in $(seq 1 100); do echo {line}; sleep 0.01; done; exec sleep 1000000"
    space.kubectl("run", "logs-generator", f"--image={IMAGE}", "--restart=Never", "--", "sh", "-c", script)
    wait("it wrote", lambda: "100 something" in space.kubectl("logs", "logs-generator"))
    logs = lambda *flags: space.kubectl("logs", "logs-generator", "logs-generator", *flags)  # noqa: E731
    assert "/api/v1/namespaces/ns/pods/logs-generator" in logs()
    assert logs("--tail=1") == "100 something /api/v1/namespaces/ns/pods/logs-generator 100\n"
    assert logs("--limit-bytes=1") == "1"
    stamped = logs("--tail=1", "--timestamps")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d) 100 something .*\n", stamped)
    wait("a second is over", lambda: logs("--since=1s") == "")
    assert logs("--since=24h").count("\n") == 100


@contextlib.contextmanager
def proxying(space: Space, *flags: str) -> Iterator[str]:
    """`kubectl proxy` while inside; what it says first."""
    environment = {**os.environ, "KUBECONFIG": str(space.api.kubeconfig), "HOME": str(space.api.kubeconfig.parent)}
    process = subprocess.Popen(["kubectl", "proxy", *flags], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def versions(connection: http.client.HTTPConnection) -> Object:
    with contextlib.closing(connection):
        connection.request("GET", "/api/")
        found: Object = json.loads(connection.getresponse().read())
        return found


def test_proxy(space: Space) -> None:
    with proxying(space, "-p", "0", "--disable-filter") as said:
        found = re.search(r"Starting to serve on 127\.0\.0\.1:(\d+)", said)
        assert found
        assert versions(http.client.HTTPConnection("127.0.0.1", int(found[1])))["versions"] == ["v1"]
    path = f"/tmp/{space.name}.sock"
    with proxying(space, f"--unix-socket={path}"):
        assert versions(UnixConnection(path))["versions"] == ["v1"]


FETCH, LISTEN = "wget -q -O -", "exec httpd -f -h /www"


def cgi(name: str, script: str) -> str:
    """Shell that makes a page of a script."""
    path = f"/www/cgi-bin/{name}"
    return f"printf '#!/bin/sh\\necho; {script}' > {path}; chmod +x {path}"


def test_guestbook(space: Space) -> None:
    """A store that is written to, two copies that read it over DNS, a front end that asks both, put up and taken down."""
    entry = cgi("set", 'echo "$QUERY_STRING" > /www/entry; cat /www/entry')
    store = f"mkdir -p /www/cgi-bin; echo none > /www/entry; {entry}; {LISTEN} -p 6379"
    copy = f"mkdir -p /www/cgi-bin; {cgi('get', f'{FETCH} http://primary:6379/entry')}; {LISTEN} -p 6379"
    write = cgi("set", f'{FETCH} "http://primary:6379/cgi-bin/set?$QUERY_STRING"')
    read = cgi("get", f"{FETCH} http://replica:6379/cgi-bin/get")
    front = f"mkdir -p /www/cgi-bin; {write}; {read}; {LISTEN} -p 80"
    items = []
    for name, script, replicas, port in (
        ("primary", store, 1, 6379),
        ("replica", copy, 2, 6379),
        ("frontend", front, 3, 80),
    ):
        labels = {"app": "guestbook", "tier": name}
        items += [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name},
                "spec": {"selector": labels, "ports": [{"port": port}]},
            },
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": labels},
                    "template": template(labels, script),
                },
            },
        ]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    space.kubectl("create", "-f", "-", stdin=manifest)
    for name in ("primary", "replica", "frontend"):
        space.kubectl("rollout", "status", f"deployment/{name}", "--timeout=60s")
    root = f"{space.path('services', 'frontend')}/proxy/cgi-bin"
    ask = lambda path: space.api.send("GET", f"{root}/{path}").body.decode().strip()  # noqa: E731
    wait("it answers", lambda: ask("get") == "none")
    assert ask("set?TestEntry") == "TestEntry"
    wait("the entry is read", lambda: ask("get") == "TestEntry")
    space.kubectl("delete", "--grace-period=0", "--force", "-f", "-", stdin=manifest)
    wait("nothing is left", lambda: not space.items("pods"))
