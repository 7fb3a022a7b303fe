"""The command line's own look at the API, blocking and small: is it ready, are the nodes Ready, how many pods run."""

import datetime
import http.client
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import msgspec

from steersman.aio.clock import SystemClock
from steersman.cluster.options import CONTROL_PLANE
from steersman.cluster.paths import Paths
from steersman.meta import errors, times

REQUEST_SECONDS_MAX = 5.0
POLL_SECONDS = 0.01
PIECE_BYTES = 262144


class ApiAccess:
    """An administrator's connection to the API server of the cluster in `paths`, opened when first used."""

    def __init__(self, paths: Paths, port: int) -> None:
        self._paths = paths
        self._port = port
        self._connection: http.client.HTTPSConnection | None = None

    def get(self, path: str) -> dict[str, Any] | None:
        """The answer's JSON, None when there was no good answer."""
        try:
            status, body = self._request(path)
        except (OSError, http.client.HTTPException):
            self.close()
            return None
        answer: dict[str, Any] | None = msgspec.json.decode(body) if status == http.HTTPStatus.OK else None
        return answer

    def ask(
        self,
        path: str,
        method: str = "GET",
        seconds: float = REQUEST_SECONDS_MAX,
        *,
        body: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The answer's JSON. Raises StatusError for a refusal, OSError or HTTPException where there is no answer."""
        status, text = self._request(path, method, seconds, body)
        answer: dict[str, Any] = msgspec.json.decode(text)
        if status not in (http.HTTPStatus.OK, http.HTTPStatus.CREATED):
            raise errors.StatusError(answer)
        return answer

    def pieces(self, path: str) -> Iterator[bytes]:
        """The body of an answer that may be large. Raises as `ask`."""
        response = self._response(path, "GET", REQUEST_SECONDS_MAX)
        if response.status != http.HTTPStatus.OK:
            raise errors.StatusError(msgspec.json.decode(response.read()))
        while piece := response.read(PIECE_BYTES):
            yield piece

    def items(self, path: str) -> list[dict[str, Any]]:
        """The items of a list, none when there was no good answer."""
        answer = self.get(path)
        return answer["items"] if answer else []

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _request(
        self,
        path: str,
        method: str = "GET",
        seconds: float = REQUEST_SECONDS_MAX,
        body: dict[str, Any] | None = None,
    ) -> tuple[int, bytes]:
        response = self._response(path, method, seconds, body)
        return response.status, response.read()

    def _response(
        self, path: str, method: str, seconds: float, body: dict[str, Any] | None = None
    ) -> http.client.HTTPResponse:
        if not self._connection:
            context = ssl.create_default_context(cafile=str(self._paths.pki / "ca.crt"))
            context.load_cert_chain(self._paths.pki / "admin.crt", self._paths.pki / "admin.key")
            self._connection = http.client.HTTPSConnection(
                "127.0.0.1", self._port, context=context, timeout=REQUEST_SECONDS_MAX
            )
            self._connection.connect()
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.sock.settimeout(seconds)
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        self._connection.request(method, path, msgspec.json.encode(body) if body is not None else None, headers)
        return self._connection.getresponse()


def is_ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _heartbeat(node: dict[str, Any]) -> str:
    """When the node last said whether it is Ready, RFC 3339 in UTC (such texts sort as the times do)."""
    conditions = node.get("status", {}).get("conditions", ())
    return next((str(c.get("lastHeartbeatTime") or "") for c in conditions if c["type"] == "Ready"), "")


def _of_control_plane(nodes: list[dict[str, Any]]) -> set[str]:
    return {node["metadata"]["name"] for node in nodes if CONTROL_PLANE in node["metadata"].get("labels", ())}


def wait_nodes_ready(
    api: ApiAccess, wanted: set[str], marked: str, since: datetime.datetime, seconds: float, clock: SystemClock
) -> set[str]:
    """Wait until the named nodes have said that they are Ready at `since` or later (what the store kept from an earlier
    start does not count), and the one called `marked` is marked as the control plane's; returns those that have not when time is
    up."""
    deadline = clock.monotonic() + seconds
    earliest = times.format_seconds(since)
    while True:
        nodes = api.items("/api/v1/nodes")
        ready = {node["metadata"]["name"] for node in nodes if is_ready(node) and _heartbeat(node) >= earliest}
        late = wanted - ready | {one for one in wanted & {marked} if one not in _of_control_plane(nodes)}
        if not late and (wanted or api.get("/version")):
            return set()
        if clock.monotonic() > deadline:
            return late or {"the API server"}
        clock.pause(POLL_SECONDS)
