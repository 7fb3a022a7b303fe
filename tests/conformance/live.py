"""A live cluster as these tests see it: raw HTTPS, so that statuses and messages are seen as they are sent.

`Api` is one user's way in; `Space` a namespace of one's own with what most tests need.
"""

import base64
import collections
import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import ssl
import subprocess
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import urllib3
import yaml

from steersman.aio.clock import SystemClock

CLOCK = SystemClock()
WAIT_SECONDS_MAX = 90
COMMAND_SECONDS_MAX = 90
CONNECTIONS_MAX = 128  # watches hold theirs
IMAGE = "localhost/hello:1"  # busybox, by `up --example-images`

T = TypeVar("T")
Object = dict[str, Any]
CONTENT_TYPES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    @property
    def object(self) -> Any:
        return json.loads(self.body)

    @property
    def warnings(self) -> list[str]:
        return self.headers.getlist("warning")


class Refused(Exception):
    """The server said no; `status` is what it sent."""

    def __init__(self, answer: Answer) -> None:
        self.code = answer.status
        with contextlib.suppress(ValueError):
            self.status: Object = answer.object
        self.reason = self.status.get("reason", "")
        self.message = self.status.get("message", "")
        super().__init__(f"{self.code} {self.reason}: {self.message}")


class Api:
    """Requests of one user, from any thread."""

    def __init__(self, kubeconfig: pathlib.Path, **headers: str) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.kubeconfig = kubeconfig
        self.url: str = cluster["server"]
        self.authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=self.authority)
        with tempfile.NamedTemporaryFile() as pair:
            for name in ("client-certificate-data", "client-key-data"):
                pair.write(base64.b64decode(user[name]) + b"\n")
            pair.flush()
            context.load_cert_chain(pair.name)
        self._headers = headers
        self._pool = urllib3.PoolManager(ssl_context=context, maxsize=CONNECTIONS_MAX)

    def close(self) -> None:
        self._pool.clear()

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None, **query: Any
    ) -> Answer:
        """Whatever is answered."""
        response = self._pool.request(
            method,
            self._address(path, query),
            body=body,
            headers={"content-type": "application/json", **self._headers, **(headers or {})},
            retries=False,
            timeout=WAIT_SECONDS_MAX,
        )
        return Answer(response.status, response.headers, response.data)

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None, **query: Any
    ) -> Any:
        """The object answered. Raises Refused."""
        answer = self.send(method, path, None if body is None else json.dumps(body).encode(), headers, **query)
        if answer.status >= 400:
            raise Refused(answer)
        return answer.object

    def get(self, path: str, **query: Any) -> Any:
        return self.ask("GET", path, **query)

    def items(self, path: str, **query: Any) -> list[Object]:
        found: list[Object] = self.get(path, **query)["items"]
        return found

    def create(self, path: str, body: Object, **query: Any) -> Any:
        return self.ask("POST", path, body, **query)

    def update(self, path: str, body: Object, **query: Any) -> Any:
        return self.ask("PUT", path, body, **query)

    def patch(self, path: str, body: object, how: str = "merge", **query: Any) -> Any:
        return self.ask("PATCH", path, body, {"content-type": CONTENT_TYPES[how]}, **query)

    def delete(self, path: str, options: Object | None = None, **query: Any) -> Any:
        return self.ask("DELETE", path, options, **query)

    def change(self, path: str, change: Callable[[Object], object], subresource: str = "") -> Object:
        """Get, change, put, again on conflict."""
        while True:
            found = self.get(path + subresource)
            change(found)
            try:
                updated: Object = self.update(path + subresource, found)
            except Refused as refused:
                if refused.reason != "Conflict":
                    raise
            else:
                return updated

    @contextlib.contextmanager
    def watch(self, path: str, **query: Any) -> Iterator[Iterator[Object]]:
        """Events as they come; waits no longer than a test may."""
        address = self._address(path, {"watch": "true", **query})
        response = self._pool.request("GET", address, preload_content=False, retries=False, timeout=WAIT_SECONDS_MAX)
        try:
            if response.status != 200:
                raise Refused(Answer(response.status, response.headers, response.data))
            yield _lines(response)
        finally:
            response.close()

    def _address(self, path: str, query: Object) -> str:
        pairs = {name.rstrip("_"): value for name, value in query.items() if value is not None}
        return f"{self.url}{path}" + (f"?{urllib.parse.urlencode(pairs)}" if pairs else "")


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[Object]:
    rest = b""
    for chunk in response.stream(amt=None if response.chunked else 1):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from map(json.loads, lines)


def wait(what: str, look: Callable[[], T], seconds: float = WAIT_SECONDS_MAX) -> T:
    """Look until it is true (an exception of the kind Refused or AssertionError is not yet); that is what comes back."""
    deadline = CLOCK.monotonic() + seconds
    for pause in itertools.chain((0.02, 0.05, 0.1), itertools.repeat(0.2)):
        last: object
        try:
            found = look()
            if found:
                return found
            last = found
        except (Refused, AssertionError) as problem:
            last = problem
        if CLOCK.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s; last {last!r}")
        CLOCK.pause(pause)
    raise AssertionError("unreachable")


def refusal(attempt: Callable[[], object]) -> Refused | None:
    """How it was refused; None when it was not."""
    try:
        attempt()
    except Refused as refused:
        return refused
    return None


_numbers: "collections.Counter[str]" = collections.Counter()


class Space:
    """A namespace: paths in it, pods in it, kubectl in it."""

    def __init__(self, api: Api, name: str) -> None:
        self.api = api
        self.name = name

    @classmethod
    def made(cls, api: Api, name: str) -> "Space":
        """One of one's own."""
        space = cls(api, name)
        api.create("/api/v1/namespaces", {"metadata": {"name": name}})
        wait("its account is there", lambda: space.get("serviceaccounts", "default"))
        return space

    def path(self, resource: str, name: str = "") -> str:
        """`pods` or `apps/v1/deployments`, in this namespace."""
        *group, plural = resource.split("/")
        root = f"/apis/{'/'.join(group)}" if group else "/api/v1"
        return f"{root}/namespaces/{self.name}/{plural}" + (f"/{name}" if name else "")

    def create(self, resource: str, body: Object, **query: Any) -> Any:
        return self.api.create(self.path(resource), body, **query)

    def get(self, resource: str, name: str = "") -> Any:
        return self.api.get(self.path(resource, name))

    def items(self, resource: str, **query: Any) -> list[Object]:
        return self.api.items(self.path(resource), **query)

    def pod(self, name: str, script: str = "", labels: dict[str, str] | None = None, **spec: Any) -> Object:
        """A pod of one busybox container, created."""
        created: Object = self.create("pods", pod(name, script, labels, **spec))
        return created

    def running(self, name: str) -> Object:
        """The pod, once it is Ready."""

        def look() -> Object:
            found: Object = self.get("pods", name)
            return found if condition(found, "Ready") == "True" else {}

        return wait(f"pod {name} is ready", look)

    def kubectl(self, *arguments: str, stdin: str = "", code: int = 0) -> str:
        """What it prints, both ways."""
        done = subprocess.run(
            ["kubectl", f"--namespace={self.name}", *arguments],
            env={**os.environ, "KUBECONFIG": str(self.api.kubeconfig), "HOME": str(self.api.kubeconfig.parent)},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        assert done.returncode == code, f"{arguments}: exit code {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def sh(self, name: str, script: str) -> str:
        """What a shell in the pod prints; its exit code does not matter."""
        return self.kubectl("exec", name, "--", "sh", "-c", f"({script}) 2>&1 || true")


def pod(name: str, script: str = "", labels: dict[str, str] | None = None, **spec: Any) -> Object:
    """One busybox container; without a script it sleeps."""
    main = {"name": "main", "image": IMAGE, "command": ["sh", "-c", script or "exec sleep 1000000"]}
    meta: Object = {"name": name, "labels": labels or {"name": name}}
    return {"metadata": meta, "spec": {"terminationGracePeriodSeconds": 0, "containers": [main], **spec}}


def template(labels: dict[str, str], script: str = "", **spec: Any) -> Object:
    """A pod template of the same."""
    made = pod("", script, labels, **spec)
    return {"metadata": {"labels": labels}, "spec": made["spec"]}


def workload(name: str, replicas: int | None, script: str = "", **spec: Any) -> Object:
    """A Deployment, ReplicaSet, StatefulSet, DaemonSet over pods labelled `name: NAME`."""
    labels = {"name": name}
    sized = {} if replicas is None else {"replicas": replicas}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {**sized, "selector": {"matchLabels": labels}, "template": template(labels, script), **spec},
    }


def condition(found: Object, kind: str) -> str:
    conditions = found.get("status", {}).get("conditions") or []
    return next((str(one["status"]) for one in conditions if one["type"] == kind), "")


def names(found: list[Object]) -> set[str]:
    return {one["metadata"]["name"] for one in found}


def unique(word: str) -> str:
    """For what has no namespace."""
    _numbers[word] += 1
    return f"{word}-{os.getpid()}-{_numbers[word]}"
