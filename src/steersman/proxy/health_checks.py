"""What a node tells load balancers and monitors of its proxy, by HTTP.

Keeps true: each Service with a `healthCheckNodePort` has a server there that answers 200 while the node has ready endpoints of
it, else 503; `/healthz` on port 10256 answers once all rules stand; `/proxyMode`, `/metrics` and more are on 10249 as upstream's.
A port that is somebody else's is tried again with the Service's next change.
"""

import logging
import socket

import orjson

from steersman.aio.clock import Clock
from steersman.api import schema
from steersman.meta import errors, objects, times
from steersman.meta.objects import Object
from steersman.proxy import rules
from steersman.serving import health_slis, http_server, listeners, zpages
from steersman.serving.messages import Handler, Request, Response

log = logging.getLogger(__name__)

HEALTH_PORT, METRICS_PORT = 10256, 10249
_FIGURES = ("/healthz", "/metrics", "/metrics/slis", "/proxyMode", *zpages.PATHS)


def port_of(service: Object) -> int:
    """0 for a Service whose load balancer need not ask."""
    spec = service.get("spec") or {}
    is_asked = spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"
    return int(spec.get("healthCheckNodePort") or 0) if is_asked and rules.is_proxied(service) else 0


class HealthChecks:
    """Serves on all addresses of the network namespace the process is in."""

    def __init__(self, node: str, clock: Clock, component: zpages.Component | None = None) -> None:
        self._node = node
        self._component = component or zpages.Component("kube-proxy", schema.RELEASE, clock.now())
        self._slis = health_slis.HealthSlis()
        self._clock = clock
        self._servers: dict[str, tuple[int, http_server.Server]] = {}
        self._counts: dict[str, int] = {}
        self._fixed: list[http_server.Server] = []
        self._healthy = False
        self._changes = 0

    async def start(self) -> None:
        """Serve the proxy's own health and figures."""
        for port, handler in ((HEALTH_PORT, self._health), (METRICS_PORT, self.figures)):
            server = await self._listen(port, handler)
            if server is not None:
                self._fixed.append(server)

    async def close(self) -> None:
        for server in (*self._fixed, *(server for _, server in self._servers.values())):
            await server.close(0)
        self._fixed, self._servers = [], {}

    def stand(self, changes: int) -> None:
        """The rules stand; `changes` of Services have been worked in since the start."""
        self._healthy, self._changes = True, changes

    async def update(self, key: str, service: Object | None, slices: list[Object]) -> None:
        """Of one Service (None: it is gone)."""
        wanted = port_of(service) if service is not None else 0
        serving = self._servers.get(key)
        if serving is not None and serving[0] != wanted:
            del self._servers[key]
            await serving[1].close(0)
            serving = None
        if not wanted or service is None:
            self._counts.pop(key, None)
            return
        self._counts[key] = rules.local_ready(service, slices, self._node)
        if serving is None:
            server = await self._listen(wanted, self._of_service(key))
            if server is not None:
                self._servers[key] = wanted, server

    def _of_service(self, key: str) -> Handler:
        async def answer(request: Request) -> Response:
            space, name = objects.split_key(key)
            count = self._counts.get(key, 0)
            body = {
                "service": {"namespace": space, "name": name},
                "localEndpoints": count,
                "serviceProxyHealthy": self._healthy,
            }
            headers = {
                "content-type": "application/json",
                "x-content-type-options": "nosniff",
                "x-load-balancing-endpoint-weight": str(count),
            }
            return Response(200 if count and self._healthy else 503, headers, orjson.dumps(body))

        return answer

    async def _health(self, request: Request) -> Response:
        if request.path not in ("/healthz", "/livez"):
            return Response(404)
        now = times.format_seconds(self._clock.now())
        body = {"lastUpdated": now, "currentTime": now, "nodeEligible": True}
        return Response(200 if self._healthy else 503, {"content-type": "application/json"}, orjson.dumps(body))

    async def figures(self, request: Request) -> Response:
        """What is on the port of the figures."""
        match request.path:
            case "/proxyMode":
                return Response(200, {"content-type": "text/plain"}, b"nftables")
            case "/healthz":
                for name in ("ping", "log"):
                    self._slis.observe(name, "healthz", healthy=True)
                return Response(200, {"content-type": "text/plain"}, b"ok")
            case "/metrics/slis":
                return self._slis.answer()
            case "/flagz" | "/statusz":
                return self._zpage(request)
            case "/metrics":
                name = "kubeproxy_sync_proxy_rules_service_changes_total"
                text = f"# TYPE {name} counter\n{name} {self._changes}\n"
                return Response(200, {"content-type": "text/plain; version=0.0.4"}, text.encode())
        return Response(404)

    def _zpage(self, request: Request) -> Response:
        try:
            found = zpages.answer(self._component, request, _FIGURES, self._clock.now())
        except errors.StatusError as refused:
            return Response(refused.code, {"content-type": "application/json"}, orjson.dumps(refused.status))
        return found or Response(405)

    async def _listen(self, port: int, handler: Handler) -> http_server.Server | None:
        try:
            sockets: list[socket.socket] = [listeners.tcp("0.0.0.0", port)]
            return await http_server.serve(handler, sockets=sockets, clock=self._clock)
        except OSError as problem:
            log.warning("no health checks on port %d: %s", port, problem)
            return None
