"""`pods/NAME/proxy` and `services/NAME/proxy`: HTTP and WebSocket to a pod, straight from the API server, by every method.

Source: "Access services running on clusters", URLs `[https:]name[:port]`.
"""

import itertools
import urllib.parse
from collections.abc import AsyncIterator, Callable

from steersman.api import kinds
from steersman.apiserver import decoded
from steersman.apiserver.call import Call
from steersman.apiserver.subresources import addresses, kubelet, proxied
from steersman.client import transport
from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.serving import messages

# (scheme, address, port) → a way to speak to a pod.
PodConnector = Callable[[str, str, int], transport.Transport]


PAGE_BYTES_MAX = 16 * 1024 * 1024  # a longer page goes through as it is, piece by piece


class Proxy:
    def __init__(self, objects: decoded.DecodedObjects, connector: PodConnector | None) -> None:
        self._objects = objects
        self._connector = connector
        self._turn = itertools.count()

    async def answer(self, call: Call) -> messages.Response:
        scheme, name, port = split(call.target.name)
        if call.kind is kinds.POD:
            address, number = await self._pod(call, name, port)
        else:
            address, number = await self._service(call, name, port)
        request = call.request
        if _ends_without_slash(call) and request.method in ("GET", "HEAD") and "upgrade" not in request.headers:
            query = f"?{request.query}" if request.query else ""
            return messages.Response(301, {"location": f"{urllib.parse.quote(request.path)}/{query}"})
        if self._connector is None:
            raise errors.unavailable("this API server has no way to its pods")
        joined = f"[{address}]" if ":" in address else address
        path = "/" + call.target.rest
        try:
            answer = await kubelet.forward(call, self._connector(scheme, joined, number), path, request.query)
        except errors.StatusError as refusal:
            if refusal.code != 500:
                raise
            raise errors.unavailable(f"error trying to reach service: {_cause(refusal)}") from refusal
        return await _told(answer, call, f"{joined}:{number}")

    async def _pod(self, call: Call, name: str, port: str) -> tuple[str, int]:
        pod = await self._objects.get(kinds.POD, call.target.namespace, name)
        if pod is None:
            raise call.not_found(name)
        address = (pod.get("status") or {}).get("podIP", "")
        addresses.check(address)
        return address, _port_of_pod(pod, port)

    async def _service(self, call: Call, name: str, port: str) -> tuple[str, int]:
        """An endpoint of the service's port that is named (or numbered) `port`; with no port, of its only one."""
        service = await self._objects.get(kinds.SERVICE, call.target.namespace, name)
        if service is None:
            raise call.not_found(name)
        ports = (service.get("spec") or {}).get("ports") or []
        if port.isdigit():
            port = next((one.get("name", "") for one in ports if one.get("port") == int(port)), port)
        elif not port and len(ports) != 1:
            raise errors.bad_request(f'service "{name}" has {len(ports)} ports: name one')
        usable: list[tuple[str, int]] = []
        for found in await self._objects.list(kinds.ENDPOINT_SLICE, call.target.namespace):
            if (found["metadata"].get("labels") or {}).get("kubernetes.io/service-name") != name:
                continue
            number = _port_of_slice(found, port)
            for endpoint in found.get("endpoints") or () if number else ():
                if (endpoint.get("conditions") or {}).get("ready", True) and endpoint.get("addresses"):
                    usable.append((endpoint["addresses"][0], number))
        if usable:
            return usable[next(self._turn) % len(usable)]
        raise errors.unavailable(f'no endpoints available for service "{call.target.name}"')


async def _told(answer: messages.Response, call: Call, backend: str) -> messages.Response:
    """The server's answer, its links and redirects as the client can follow them."""
    if answer.status == 101:
        return answer
    request = call.request
    rest = "/" + call.target.rest
    prefix = request.path.removesuffix(rest) if request.path.endswith(rest) else request.path
    host = request.headers.get("host", "")
    answer.headers = proxied.headers(answer.headers, prefix, host, backend)
    if request.method != "HEAD" and proxied.is_page(answer.headers) and await _gather(answer):
        answer.body = proxied.page(answer.body, answer.headers, prefix, host, backend)
        answer.headers = {name: value for name, value in answer.headers.items() if name.lower() != "content-length"}
    return answer


async def _gather(answer: messages.Response) -> bool:
    """Read a page as a whole; False, and a stream of all of it, when it is too long for that."""
    if answer.stream is None:
        return True
    pieces, size = [], 0
    stream = answer.stream
    async for piece in stream:
        pieces.append(piece)
        size += len(piece)
        if size > PAGE_BYTES_MAX:
            answer.stream = _continued(pieces, stream)
            return False
    answer.body, answer.stream = b"".join(pieces), None
    return True


async def _continued(pieces: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    async for piece in rest:
        yield piece


def _ends_without_slash(call: Call) -> bool:
    return not call.target.rest and not call.request.path.endswith("/")


def _cause(refusal: errors.StatusError) -> str:
    return str(refusal.status.get("message", "")).removeprefix("error dialing backend: ")


def split(text: str) -> tuple[str, str, str]:
    """`https:web:8443` → (scheme, name, port); scheme http, port "" where not said. Raises StatusError 400."""
    match text.split(":"):
        case [name]:
            return "http", name, ""
        case [name, port]:
            return "http", name, port
        case [scheme, name, port] if scheme in ("", "http", "https"):
            return scheme or "http", name, port
    raise errors.bad_request(f'invalid proxy request "{text}"')


def _port_of_pod(pod: Object, port: str) -> int:
    containers = (pod.get("spec") or {}).get("containers") or ()
    ports = [one for container in containers for one in container.get("ports") or ()]
    if not port:
        return int(ports[0]["containerPort"]) if ports else 80
    if port.isdigit() and len(port) < 6:
        return int(port)
    for one in ports:
        if one.get("name") == port:
            return int(one["containerPort"])
    raise errors.bad_request(f'pod has no port "{port}"')


def _port_of_slice(found: Object, name: str) -> int:
    ports = found.get("ports") or []
    for one in ports:
        if one.get("name", "") == name or (len(ports) == 1 and not name):
            return int(one.get("port") or 0)
    return 0
