"""Pods of many wishes at once in one namespace of a real cluster, seen from outside: made, followed by one watch, asked.

Reads: the pods of its namespace, their logs.  Writes: whatever a story makes there.
Leaves to others: what must be true of them (the stories of the test files beside it).
"""

import asyncio
import contextlib
import dataclasses
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from steersman.aio.clock import SystemClock
from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.client import kubeconfig, requests
from steersman.client.cache import Cache
from steersman.client.client import Client
from steersman.client.transport import HttpTransport
from steersman.meta.objects import Object
from steersman.serving.messages import Request
from tests.clients.conftest import RunningCluster

IMAGE = "localhost/hello:1"
SECONDS_MOST = 60.0  # for one step of a story, while all others run beside it on a busy machine
STORIES_AT_ONCE = 24
LOOKS_EVERY_SECONDS = 0.05
GONE = "gone"  # set in what a pod was last


@dataclasses.dataclass(eq=False)
class Lab:
    """A namespace, and all that its pods have been."""

    cluster: RunningCluster
    client: Client
    namespace: str
    pods: dict[str, Object] = dataclasses.field(default_factory=dict)
    history: dict[str, list[Object]] = dataclasses.field(default_factory=dict)

    async def create(self, kind: Kind, obj: Object) -> Object:
        return await self.client.create(kind, obj, self.namespace if kind.namespaced else "")

    async def pod(self, name: str, *containers: Object, **spec: Any) -> Object:
        return await self.create(kinds.POD, pod(name, *containers, **spec))

    async def until(self, name: str, is_so: Callable[[Object], Any], seconds: float = SECONDS_MOST) -> Object:
        """The pod (one that is gone, as it was last) once something is so of it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while name not in self.pods or not is_so(self.pods[name]):
                    await self.client.clock.sleep(LOOKS_EVERY_SECONDS)
                return self.pods[name]
        raise AssertionError(f"{name}: not within {seconds} s: {json.dumps((self.pods.get(name) or {}).get('status'))}")

    async def ended(self, name: str) -> Object:
        return await self.until(name, is_over)

    async def ready(self, name: str) -> Object:
        return await self.until(name, is_ready)

    async def gone(self, name: str, seconds: float = SECONDS_MOST) -> Object:
        return await self.until(name, lambda seen: seen.get(GONE), seconds)

    async def stays(self, name: str, is_so: Callable[[Object], Any], seconds: float) -> None:
        """It is so of the pod now, and all the time."""
        begin = len(self.history[name]) - 1
        await self.client.clock.sleep(seconds)
        for seen in self.history[name][begin:]:
            assert is_so(seen), json.dumps(seen["status"])

    async def delete(self, name: str, grace_seconds: int | None = None) -> None:
        await self.client.delete(kinds.POD, name, self.namespace, grace_seconds=grace_seconds)

    async def patch(self, name: str, change: Object, *, kind: Kind = kinds.POD, subresource: str = "") -> Object:
        """By strategic merge."""
        about = {"content-type": "application/strategic-merge-patch+json"}
        path = requests.path(kind, self.namespace, name, subresource)
        response = await self.client.request(Request("PATCH", path, "", about, json.dumps(change).encode()))
        return requests.parse_object(response)

    async def log(self, name: str, container: str = "", **parameters: Any) -> str:
        query = requests.query(container=container or None, **parameters)
        path = requests.path(kinds.POD, self.namespace, name, "log")
        return (await self.client.request(Request("GET", path, query))).body.decode()

    async def prints(self, name: str, text: str, container: str = "", seconds: float = SECONDS_MOST) -> str:
        """The log, once it holds the text."""
        found = ""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while text not in (found := await self.log(name, container)):
                    await self.client.clock.sleep(LOOKS_EVERY_SECONDS)
                return found
        raise AssertionError(f"{name} has not printed {text!r} but {found!r}")

    async def exec(self, name: str, *command: str, container: str = "") -> str:
        """What the command prints on both streams, whatever its end."""
        where = ["-c", container] if container else []
        process = await asyncio.create_subprocess_exec(
            *("kubectl", "exec", "-n", self.namespace, name, *where, "--", *command),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self.cluster.environment,
        )
        return (await process.communicate())[0].decode()

    async def event(self, name: str, reason: str, seconds: float = SECONDS_MOST) -> str:
        """The message of the first event of that reason, once there is one."""
        selector = f"involvedObject.name={name},reason={reason}"
        async with asyncio.timeout(seconds):
            while not (found := (await self.client.list(kinds.EVENT, self.namespace, field_selector=selector)).items):
                await self.client.clock.sleep(4 * LOOKS_EVERY_SECONDS)
        return str(found[0]["message"])

    def tell(self, old: Object | None, new: Object | None) -> None:
        """A change of a pod, from the watch."""
        seen = new or {**(old or {}), GONE: True}
        self.pods[seen["metadata"]["name"]] = seen
        self.history.setdefault(seen["metadata"]["name"], []).append(seen)


# What pods are made of.


def pod(name: str, *containers: Object, **spec: Any) -> Object:
    """Ends with its first container and is asked for one second only, unless it says otherwise."""
    about = {name: spec.pop(name) for name in ("labels", "annotations") if name in spec}
    whole = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [*containers], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **about}, "spec": whole}


def shell(script: str, name: str = "main", **about: Any) -> Object:
    return {"name": name, "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script], **about}


def sidecar(script: str, name: str = "side", **about: Any) -> Object:
    return shell(script, name, restartPolicy="Always", **about)


def web(name: str = "main", port: int = 8080, **about: Any) -> Object:
    """Serves /, /version and /cgi-bin/hello."""
    command = ["httpd", "-f", "-p", str(port), "-h", "/www"]
    return {"name": name, "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": command, **about}


SLEEPS = "trap exit TERM; sleep 1000000 & wait"  # ends at once when asked to


# What is seen of them.


def is_over(seen: Object) -> bool:
    return seen["status"].get("phase") in ("Succeeded", "Failed")


def condition(seen: Object, kind: str) -> Object:
    found: Object = next((one for one in seen["status"].get("conditions") or () if one["type"] == kind), {})
    return found


def is_ready(seen: Object) -> bool:
    return condition(seen, "Ready").get("status") == "True"


def container(seen: Object, name: str = "main") -> Object:
    """Its status; empty when there is none yet."""
    status = seen["status"]
    fields = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    all_of_them = [one for field in fields for one in status.get(field) or ()]
    found: Object = next((one for one in all_of_them if one["name"] == name), {})
    return found


def state(seen: Object, kind: str, name: str = "main") -> Object:
    """running, waiting or terminated: what is told of it, or nothing."""
    return (container(seen, name).get("state") or {}).get(kind) or {}


def restarts(seen: Object, name: str = "main") -> int:
    return int(container(seen, name).get("restartCount") or 0)


def waits(seen: Object, name: str = "main") -> tuple[str, str]:
    told = state(seen, "waiting", name)
    return told.get("reason", ""), told.get("message", "").partition(" (pod")[0]


# Stories, all told at once.

Story = Callable[[Lab], Awaitable[None]]


class Stories:
    """Runs them all in a thread of its own, some at a time; each test asks for the end of one. The first is over before the others
    begin: it may make what they need."""

    def __init__(self, cluster: RunningCluster, namespace: str, stories: Mapping[str, Story]) -> None:
        self._cluster, self._namespace, self._stories = cluster, namespace, stories
        self._ends: dict[str, BaseException | None] = {}
        self._told = threading.Condition()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._tell_all()))

    def __enter__(self) -> "Stories":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def end(self, name: str) -> None:
        """Waits for it, and raises what went wrong."""
        with self._told:
            self._told.wait_for(lambda: name in self._ends)
        if (failure := self._ends[name]) is not None:
            raise failure

    async def _tell_all(self) -> None:
        slots = asyncio.Semaphore(STORIES_AT_ONCE)

        async def tell(name: str, lab: Lab) -> None:
            failure: BaseException | None = None
            try:
                async with slots:
                    await self._stories[name](lab)
            except (Exception, asyncio.CancelledError) as error:
                failure = error
            with self._told:
                self._ends[name] = failure
                self._told.notify_all()

        try:
            async with _lab(self._cluster, self._namespace) as lab:
                first, *others = self._stories
                await tell(first, lab)
                await asyncio.gather(*(tell(name, lab) for name in others))
        except Exception as error:
            with self._told:
                self._ends = {name: self._ends.get(name, error) for name in self._stories}
                self._told.notify_all()


@contextlib.asynccontextmanager
async def _lab(cluster: RunningCluster, namespace: str) -> AsyncIterator[Lab]:
    clock = SystemClock()
    access = kubeconfig.access(kubeconfig.load([cluster.folder / "kubeconfig"]))
    client = Client(HttpTransport(access, clock=clock), clock=clock)
    lab = Lab(cluster, client, namespace)
    await client.create(kinds.NAMESPACE, {"metadata": {"name": namespace}})
    cache = Cache(client, kinds.POD, clock, namespace=namespace)
    cache.subscribe(lab.tell)
    following = asyncio.create_task(cache.run())
    try:
        async with asyncio.timeout(SECONDS_MOST):
            while not (await client.list(kinds.SERVICE_ACCOUNT, namespace)).items:
                await clock.sleep(LOOKS_EVERY_SECONDS)
        yield lab
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        with contextlib.suppress(Exception):
            await client.delete(kinds.NAMESPACE, namespace)
        await client.close()


@dataclasses.dataclass(frozen=True)
class Case:
    """A pod, and what must be equal to `wish` once it is over, or far enough: `is_so` of the pod and its (first) log."""

    pod: Object
    is_so: Callable[[Object, str], Any]
    wish: Any
    is_far_enough: Callable[[Object], Any] = is_over
    log_of: str = ""

    def story(self, name: str) -> Story:
        async def tell(lab: Lab) -> None:
            made = {**self.pod, "metadata": {**self.pod["metadata"], "name": name_of(name)}}
            await lab.create(kinds.POD, made)
            seen = await lab.until(name_of(name), self.is_far_enough)
            log = await lab.log(name_of(name), self.log_of or seen["spec"]["containers"][0]["name"])
            if (found := self.is_so(seen, log)) != self.wish:
                raise AssertionError(f"{found!r}, not {self.wish!r}")
            await lab.delete(name_of(name), 0)

        return tell


def runs(script: str, wish: Any, is_so: Callable[[Object, str], Any] | None = None, **about: Any) -> Case:
    """A pod of one container; what it logs is looked at, unless `is_so` says otherwise. `main` is about the container."""
    main = shell(script, **about.pop("main", {}))
    enough, log_of = about.pop("is_far_enough", is_over), about.pop("log_of", "")
    others = about.pop("others", [])
    return Case(pod("", main, *others, **about), is_so or (lambda _, log: log), wish, enough, log_of)


def name_of(case: str) -> str:
    return "".join(letter if letter.isalnum() or letter == "-" else "-" for letter in case.lower())
