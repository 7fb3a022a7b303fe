"""What controllers and scheduler tell monitoring, over HTTPS at upstream's ports: health, figures, what they are.

Health is for everybody; the rest for whom the API server lets read such a path (SubjectAccessReview), as upstream's components ask.
A port that is somebody else's, another cluster's on this machine perhaps, is left to them.
"""

import asyncio
import contextlib
import logging
import os
import pathlib
import resource
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping

import orjson

from steersman.aio.clock import Clock
from steersman.client.client import Client, Unreachable
from steersman.meta import errors, exposition
from steersman.meta.exposition import Sample
from steersman.meta.objects import Object
from steersman.serving import health_slis, http_server, listeners, zpages
from steersman.serving.messages import Peer, Request, Response

CONTROLLERS_PORT, SCHEDULER_PORT = 10257, 10259

_HEALTH = ("/healthz", "/livez", "/readyz")
_PATHS = (*_HEALTH, "/metrics", "/metrics/slis", *zpages.PATHS)
_REVIEWS = {
    "TokenReview": "/apis/authentication.k8s.io/v1/tokenreviews",
    "SubjectAccessReview": "/apis/authorization.k8s.io/v1/subjectaccessreviews",
}
_REQUESTS = "[ALPHA] Number of HTTP requests, partitioned by status code, method, and host."
_STATM = pathlib.Path("/proc/self/statm")

log = logging.getLogger(__name__)


class ComponentServer:
    """`client` is the component's own."""

    def __init__(
        self,
        component: zpages.Component,
        client: Client,
        clock: Clock,
        samples: Callable[[], Iterable[Sample]] = tuple,
        host: str = "",
    ) -> None:
        """`samples` are the component's own figures; `host` is the API server, as they call it."""
        self._samples = samples
        self._host = host
        self._component = component
        self._client = client
        self._clock = clock
        self._slis = health_slis.HealthSlis()

    async def handle(self, request: Request) -> Response:
        try:
            if request.method not in ("GET", "HEAD") or request.path not in _PATHS:
                raise errors.no_route()
            if request.path in _HEALTH:
                self._slis.observe("ping", request.path.removeprefix("/"), healthy=True)
                return _text("ok")
            await self._check(request)
            return self._answer(request)
        except errors.StatusError as refused:
            return Response(refused.code, {"content-type": "application/json"}, orjson.dumps(refused.status))

    def _answer(self, request: Request) -> Response:
        if request.path == "/metrics/slis":
            return self._slis.answer()
        found = zpages.answer(self._component, request, _PATHS, self._clock.now())
        if found is not None:
            return found
        own = "".join(f"{line}\n" for line in _figures(self._component))
        return _text(own + exposition.text([*self._samples(), *self._of_client()]))

    def _of_client(self) -> Iterator[Sample]:
        for (method, code), count in sorted(self._client.answers.items()):
            labels = {"code": str(code) if code else "<error>", "host": self._host, "method": method}
            yield Sample("rest_client_requests_total", count, labels, "counter", _REQUESTS)

    async def _check(self, request: Request) -> None:
        """Raises StatusError 401, 403 or 500."""
        user = await self._user(request.peer, request.headers)
        wish = {"path": request.path, "verb": "get"}
        found = await self._review("SubjectAccessReview", {**user, "nonResourceAttributes": wish})
        if not found.get("allowed"):
            why = f'forbidden: User "{user["user"]}" cannot get path "{request.path}"'
            raise errors.StatusError(errors.status(403, "Forbidden", why))

    async def _user(self, peer: Peer, headers: Mapping[str, str]) -> Object:
        """As the spec of a SubjectAccessReview has it."""
        if peer.certificate_user:
            return {"user": peer.certificate_user, "groups": [*peer.certificate_groups, "system:authenticated"]}
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return {"user": "system:anonymous", "groups": ["system:unauthenticated"]}
        found = await self._review("TokenReview", {"token": token.strip()})
        if not found.get("authenticated"):
            raise errors.unauthorized()
        user = found["user"]
        return {"user": user.get("username", ""), "groups": user.get("groups") or []}

    async def _review(self, kind: str, spec: Object) -> Object:
        """The review's status. Raises StatusError 500 where the API server cannot be asked."""
        path = _REVIEWS[kind]
        group = path.split("/")[2]
        body = orjson.dumps({"apiVersion": f"{group}/v1", "kind": kind, "spec": spec})
        try:
            response = await self._client.request(Request("POST", path, body=body))
        except Unreachable as lost:
            raise errors.internal(str(lost)) from lost
        if response.status >= 300:
            raise errors.internal(f"{kind}: the API server answers {response.status}")
        found: Object = orjson.loads(response.body).get("status") or {}
        return found


async def serve(server: ComponentServer, address: str, port: int, context: ssl.SSLContext, clock: Clock) -> None:
    """Until cancelled."""
    try:
        sockets = [listeners.tcp(address, port)]
    except OSError as taken:
        log.info("nothing is told on port %d: %s", port, taken)
        return
    async with await http_server.serve(server.handle, sockets=sockets, ssl_context=context, clock=clock):
        await asyncio.get_running_loop().create_future()


def _figures(component: zpages.Component) -> list[str]:
    """Of the process, which several components may share."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = {
        "process_cpu_seconds_total": ("counter", round(used.ru_utime + used.ru_stime, 3)),
        "process_start_time_seconds": ("gauge", round(component.started.timestamp(), 2)),
    }
    with contextlib.suppress(OSError):  # not every system tells
        resident = int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        found["process_resident_memory_bytes"] = ("gauge", resident)
    lines = [line for name, (kind, value) in found.items() for line in (f"# TYPE {name} {kind}", f"{name} {value}")]
    build = f'kubernetes_build_info{{git_version="v{component.version}+steersman"}} 1'
    return [*lines, "# TYPE kubernetes_build_info gauge", build]


def _text(text: str) -> Response:
    return Response(200, {"content-type": "text/plain; charset=utf-8"}, text.encode())
