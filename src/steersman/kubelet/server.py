"""The kubelet's HTTPS API, for one node or for many that share an address: logs, exec, attach, port-forward, statistics.

Who may use it: `access`. Refusals are Status objects, so that they reach kubectl as they are.
"""

import datetime
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping, Sequence

import orjson

from steersman.aio.clock import Clock
from steersman.containers import runtime
from steersman.kubelet import access, configuration, log_reader, pod_files, system_logs
from steersman.kubelet.agent import Kubelet
from steersman.kubelet.container_lifecycle import Container
from steersman.kubelet.pod_state import Sandbox
from steersman.kubelet.pod_worker import PodWorker
from steersman.meta import errors, objects, times
from steersman.serving import channels, health_slis, port_forward, zpages
from steersman.serving.messages import Duplex, Request, Response

OPEN_PATHS = ("/healthz",)
# `run` answers when the command has ended; nobody waits longer for it.
RUN_SECONDS = 600.0
LONG_RUNNING = frozenset({"exec", "attach", "portForward", "debug"})
STREAMS = {"Stdout": "stdout", "Stderr": "stderr"}


class KubeletServer:
    def __init__(self, agents: Sequence[Kubelet], clock: Clock, flags: Mapping[str, str] | None = None) -> None:
        """`flags` are what `/flagz` shows: what the process was started with."""
        self._agents = agents
        self._access = access.Access(agents[0].client, clock)
        self._clock = clock
        self._slis = health_slis.HealthSlis()
        version = agents[0].options.kubelet_version.removeprefix("v") if agents else ""
        self._component = zpages.Component("kubelet", version, clock.now(), flags or {})
        self._routes: dict[str, Callable[[Request, list[str]], Awaitable[Response]]] = {
            "containerLogs": self._logs,
            "exec": self._exec,
            "attach": self._attach,
            "portForward": self._port_forward,
            "run": self._run,
            "pods": self._pods,
            "runningpods": self._running_pods,
            "configz": self._configz,
            "checkpoint": self._checkpoint,
            "stats": self._stats,
            "metrics": self._metrics,
            "healthz": self._healthz,
            "logs": self._system_logs,
            "flagz": self._zpage,
            "statusz": self._zpage,
        }

    async def handle(self, request: Request) -> Response:
        began = self._clock.monotonic()
        try:
            if request.path not in OPEN_PATHS:
                chosen = self._chosen(request)
                await self._access.check(request, chosen[0].node_name if chosen else "")
            words = [part for part in request.path.split("/") if part]
            route = self._routes.get(words[0]) if words else None
            if route is None:
                raise errors.no_route()
            answer = await route(request, words[1:])
            self._count(request.method, words[0], self._clock.monotonic() - began)
            return answer
        except errors.StatusError as refused:
            return Response(refused.code, {"content-type": "application/json"}, orjson.dumps(refused.status))
        except runtime.RuntimeFailure as failure:
            status = errors.internal(failure.message).status
            return Response(500, {"content-type": "application/json"}, orjson.dumps(status))

    def _count(self, method: str, path: str, seconds: float) -> None:
        labels = {
            "long_running": str(path in LONG_RUNNING).lower(),
            "method": method,
            "path": path,
            "server_type": "readwrite",
        }
        for agent in self._agents[:1]:
            agent.metrics.count("kubelet_http_requests_total", **labels)
            agent.metrics.observe("kubelet_http_requests_duration_seconds", seconds, **labels)

    # --- finding things ----------------------------------------------------------------------------------------------

    def _worker(self, words: list[str], uid: str = "") -> tuple[Kubelet, PodWorker]:
        """NAMESPACE/POD, or NAMESPACE/POD/UID as old clients say it."""
        namespace, name = words[0], words[1]
        for agent in self._agents:
            worker = agent.pod(namespace, name, uid)
            if worker is not None:
                return agent, worker
        raise errors.not_found("pods", name)

    def _container(self, words: list[str], count: int = 3) -> tuple[Kubelet, PodWorker, Container]:
        if len(words) not in (count, count + 1):
            raise errors.no_route()
        agent, worker = self._worker(words, words[2] if len(words) > count else "")
        one = worker.machine.container(words[-1])
        if one is None:
            raise errors.bad_request(f"container {words[-1]} is not valid for pod {words[1]}")
        return agent, worker, one

    def _running(self, words: list[str]) -> tuple[Kubelet, PodWorker, Container]:
        agent, worker, one = self._container(words)
        if not one.is_alive or one.current is None or one.current.id != one.id:
            raise errors.bad_request(f'container not found ("{one.name}")')
        return agent, worker, one

    # --- routes ------------------------------------------------------------------------------------------------------

    async def _healthz(self, request: Request, words: list[str]) -> Response:
        """All of upstream's checks are one here: a loop that does not turn answers nobody."""
        for name in ("log", "ping", "syncloop"):
            self._slis.observe(name, "healthz", healthy=True)
        return _text("ok")

    async def _zpage(self, request: Request, words: list[str]) -> Response:
        paths = (f"/{word}" for word in self._routes)
        found = zpages.answer(self._component, request, paths, self._clock.now())
        if found is None:
            raise errors.no_route()
        return found

    async def _logs(self, request: Request, words: list[str]) -> Response:
        agent, worker, one = self._container(words)
        options = _log_options(request, self._clock.now())
        status = one.previous if _is_true(request, "previous") else one.current
        if _is_true(request, "previous") and one.current is not None and one.current.state is runtime.State.EXITED:
            status = one.previous or (one.current if not one.is_alive and one.waiting_reason else None)
        if status is None:
            raise errors.bad_request(_no_log(worker, one, previous=_is_true(request, "previous")))
        wanted = status.id

        def is_over() -> bool:
            current = one.current
            return current is None or current.id != wanted or current.state is not runtime.State.RUNNING

        path = pod_files.log_path(worker.pod, one.name, status.attempt, agent.options)
        stream = log_reader.read(path, options, self._clock, is_over)
        return Response(200, {"content-type": "text/plain"}, stream=stream)

    async def _system_logs(self, request: Request, words: list[str]) -> Response:
        folder = self._only(request).options.system_logs
        if folder is None or request.method != "GET":
            raise errors.no_route() if folder is None else errors.method_not_allowed()
        if request.path == "/logs":
            return Response(301, {"location": "logs/"}, b"")
        return await system_logs.serve(folder, request.path.removeprefix("/logs/"))

    async def _exec(self, request: Request, words: list[str]) -> Response:
        agent, _, one = self._running(words)
        command = request.parameters().get("command", [])
        if not command:
            raise errors.bad_request("you must specify at least one command for the container")

        async def start(wanted: channels.Wanted) -> runtime.ExecSession:
            try:
                return await agent.runtime.exec(one.id, command, stdin=wanted.stdin, tty=wanted.tty)
            except runtime.RuntimeFailure as failure:
                raise channels.CommandFailed(f"error executing command in container: {failure.message}") from failure

        return await channels.serve_remote_command(request, start)

    async def _attach(self, request: Request, words: list[str]) -> Response:
        agent, _, one = self._running(words)

        async def start(wanted: channels.Wanted) -> runtime.ExecSession:
            try:
                return await agent.runtime.attach(one.id, stdin=wanted.stdin)
            except runtime.RuntimeFailure as failure:
                raise channels.CommandFailed(f"error attaching to container: {failure.message}") from failure

        return await channels.serve_remote_command(request, start)

    async def _port_forward(self, request: Request, words: list[str]) -> Response:
        if len(words) not in (2, 3):
            raise errors.no_route()
        agent, worker = self._worker(words, words[2] if len(words) == 3 else "")
        if worker.machine.sandbox is not Sandbox.READY:
            raise errors.bad_request(f"pod {words[1]} is not running")

        async def connect(port: int) -> Duplex:
            try:
                return await agent.runtime.port_forward(worker.machine.sandbox_id, port)
            except runtime.RuntimeFailure as failure:
                text = f"error forwarding port {port} to pod {worker.machine.sandbox_id}, uid : {failure.message}"
                raise port_forward.ForwardFailed(text) from failure

        return await port_forward.serve_port_forward(request, connect)

    async def _run(self, request: Request, words: list[str]) -> Response:
        """A whole command in one answer, as upstream's /run."""
        if request.method != "POST":
            raise errors.method_not_allowed()
        agent, _, one = self._running(words)
        command = (
            request.parameter("cmd")
            or urllib.parse.parse_qs(request.body.decode("utf-8", "replace")).get("cmd", [""])[0]
        )
        if not command:
            raise errors.bad_request('query parameter "cmd" is required')
        try:
            result = await agent.runtime.exec_sync(one.id, command.split(" "), RUN_SECONDS)
        except TimeoutError as late:
            raise errors.timed_out(f"command did not end within {RUN_SECONDS:g} s") from late
        return Response(200, {"content-type": "text/plain"}, result.stdout + result.stderr)

    async def _pods(self, request: Request, words: list[str]) -> Response:
        pods = [worker.shown_pod() for agent in self._chosen(request) for worker in agent.workers.values()]
        return _json({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": pods})

    async def _running_pods(self, request: Request, words: list[str]) -> Response:
        """What the runtime has, whatever the API says."""
        workers = [worker for agent in self._chosen(request) for worker in agent.workers.values()]
        found = [
            {
                "metadata": {key: worker.pod["metadata"][key] for key in ("name", "namespace", "uid")},
                "spec": {
                    "containers": [
                        {"name": one.name, "image": one.image} for one in worker.machine.containers if one.is_alive
                    ]
                },
                "status": {},
            }
            for worker in workers
            if any(one.is_alive for one in worker.machine.containers)
        ]
        return _json({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": found})

    async def _configz(self, request: Request, words: list[str]) -> Response:
        return _json(configuration.configz(self._only(request).options))

    async def _stats(self, request: Request, words: list[str]) -> Response:
        if words != ["summary"]:
            raise errors.no_route()
        few = _is_true(request, "only_cpu_and_memory")
        return _json(await self._only(request).statistics.summary(only_cpu_and_memory=few))

    async def _metrics(self, request: Request, words: list[str]) -> Response:
        if words == ["slis"]:
            return self._slis.answer()
        found = self._only(request).statistics
        if not words:
            return _text(await found.own())
        if words == ["resource"]:
            return _text(await found.resource())
        if words == ["cadvisor"]:
            return _text(await found.cadvisor())
        if words == ["probes"]:
            return _text(found.probes())
        raise errors.no_route()

    async def _checkpoint(self, request: Request, words: list[str]) -> Response:
        """No runtime here can write a container's memory to disk."""
        if request.method != "POST":
            raise errors.method_not_allowed()
        self._container(words)
        text = "rpc error: code = Unimplemented desc = method CheckpointContainer not implemented"
        return Response(
            500,
            {"content-type": "text/plain; charset=utf-8"},
            f"checkpointing of {'/'.join(words)} failed ({text})\n".encode(),
        )

    def _chosen(self, request: Request) -> Sequence[Kubelet]:
        """All nodes behind this address, or the one that `?node=` names."""
        name = request.parameter("node")
        return [agent for agent in self._agents if not name or agent.node_name == name]

    def _only(self, request: Request) -> Kubelet:
        chosen = self._chosen(request)
        if len(chosen) != 1:
            raise errors.bad_request('several nodes are behind this address: say which by the query parameter "node"')
        return chosen[0]


def _no_log(worker: PodWorker, one: Container, *, previous: bool) -> str:
    pod = objects.name(worker.pod)
    if previous:
        return f'previous terminated container "{one.name}" in pod "{pod}" not found'
    reason = one.waiting_reason or "ContainerCreating"
    if reason in ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"):
        return f'container "{one.name}" in pod "{pod}" is waiting to start: trying and failing to pull image'
    return f'container "{one.name}" in pod "{pod}" is waiting to start: {reason}'


def _log_options(request: Request, now: datetime.datetime) -> log_reader.LogOptions:
    since = None
    if request.parameter("sinceTime"):
        try:
            since = times.parse(request.parameter("sinceTime"))
        except ValueError as error:
            raise errors.bad_request(f"invalid sinceTime: {error}") from error
    elif (seconds := _number(request, "sinceSeconds")) is not None:
        since = now - datetime.timedelta(seconds=seconds)
    return log_reader.LogOptions(
        follow=_is_true(request, "follow"),
        timestamps=_is_true(request, "timestamps"),
        tail_lines=_number(request, "tailLines"),
        limit_bytes=_number(request, "limitBytes"),
        since=since,
        stream=STREAMS.get(request.parameter("stream"), ""),
    )


def _number(request: Request, name: str) -> int | None:
    text = request.parameter(name)
    if not text:
        return None
    if not text.isdigit():
        raise errors.bad_request(f'unable to parse "{name}": "{text}" is not a number')
    return int(text)


def _is_true(request: Request, name: str) -> bool:
    return request.parameter(name).lower() in ("1", "true", "t")


def _text(text: str) -> Response:
    return Response(200, {"content-type": "text/plain; charset=utf-8"}, text.encode())


def _json(obj: objects.Object) -> Response:
    return Response(200, {"content-type": "application/json"}, orjson.dumps(obj))
