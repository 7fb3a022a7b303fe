"""log, exec, attach, portforward and proxy: the API server as a pipe to the kubelet that has the pod.

Keeps true: it only chooses node, container and path; bytes go through untouched in both directions, and when either side
ends, the other is closed. Source: upstream's registry/core/pod rest and strategy (LogLocation, ExecLocation, …).
"""

import asyncio
import contextlib
import urllib.parse
from collections.abc import Callable, Mapping

from steersman.api import kinds
from steersman.apiserver import decoded, socket_streams
from steersman.apiserver.call import Call
from steersman.apiserver.subresources import addresses
from steersman.client import transport
from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.serving import messages

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
KUBELET_PORT = 10250

# (node name, address, port) → a way to speak to that kubelet as the API server. Whoever makes them keeps them for reuse.
KubeletConnector = Callable[[str, str, int], transport.Transport]

# Headers that concern one hop only, what every server says for itself, and our caller's credentials, do not travel on.
_OWN = frozenset(
    ("authorization", "connection", "content-length", "host", "keep-alive", "transfer-encoding", "expect", "date")
)
_UPGRADE = ("connection", "upgrade")
# Parameters of the API's exec and attach → those of the kubelet.
_STREAMS = (("stdin", "input"), ("stdout", "output"), ("stderr", "error"), ("tty", "tty"))
_TRUE = frozenset(("1", "true", "True", "t", "T", "TRUE", ""))
_LOG_PARAMETERS = (
    "follow",
    "insecureSkipTLSVerifyBackend",
    "limitBytes",
    "previous",
    "sinceSeconds",
    "sinceTime",
    "stream",
    "tailLines",
    "timestamps",
)


class Kubelets:
    def __init__(self, objects: decoded.DecodedObjects, connector: KubeletConnector | None) -> None:
        self._objects = objects
        self._connector = connector

    async def logs(self, call: Call) -> messages.Response:
        _check_log_options(call)
        pod = await self._pod(call)
        container = container_of(pod, call.parameter("container"), "logs")
        node = (pod.get("spec") or {}).get("nodeName", "")
        if not node:
            nothing = messages.Response(200, {"content-type": "text/plain"})  # nothing has run, nothing was written
            return socket_streams.of_bytes(call.request, nothing)
        query = _query([(name, call.parameter(name)) for name in _LOG_PARAMETERS if call.parameter(name)])
        path = f"/containerLogs/{_of(pod)}/{container}"
        answer = await self._ask(node, messages.Request("GET", path, query, passed_on(call.request.headers)))
        return socket_streams.of_bytes(call.request, answer)

    async def run(self, call: Call) -> messages.Response:
        """exec and attach."""
        verb = call.target.subresource
        if not any(_is_true(call, name) for name, _ in _STREAMS[:3]):
            raise errors.bad_request("you must specify at least 1 of stdin, stdout, stderr")
        pod = await self._pod(call)
        container = container_of(pod, call.parameter("container"), verb)
        node = _node(pod)
        pairs = [(theirs, "1") for ours, theirs in _STREAMS if _is_true(call, ours)]
        if verb == "exec":
            commands = call.parameters.get("command", [])
            if not commands:
                raise errors.bad_request("you must specify at least one command for the container")
            pairs += [("command", part) for part in commands]
        return await self._tunnel(call, node, f"/{verb}/{_of(pod)}/{container}", _query(pairs))

    async def port_forward(self, call: Call) -> messages.Response:
        pod = await self._pod(call)
        ports = [("port", port) for value in call.parameters.get("ports", ()) for port in value.split(",")]
        return await self._tunnel(call, _node(pod), f"/portForward/{_of(pod)}", _query(ports))

    async def node_proxy(self, call: Call) -> messages.Response:
        """Any path of a kubelet."""
        name = call.target.name.partition(":")[0]
        return await self._tunnel(call, name, "/" + call.target.rest, call.request.query)

    async def request(self, node: str, request: messages.Request) -> messages.Response:
        """The whole answer of a node's kubelet. Raises StatusError 404 or 503, Unreachable."""
        return await (await self._way(node)).request(request)

    async def _pod(self, call: Call) -> Object:
        pod = await self._objects.get(kinds.POD, call.target.namespace, call.target.name)
        if pod is None:
            raise call.not_found()
        return pod

    async def _tunnel(self, call: Call, node: str, path: str, query: str) -> messages.Response:
        return await forward(call, await self._way(node), path, query)

    async def _ask(self, node: str, request: messages.Request) -> messages.Response:
        return await ask(await self._way(node), request)

    async def _way(self, name: str) -> transport.Transport:
        node = await self._objects.get(kinds.NODE, "", name)
        if node is None:
            raise errors.not_found("nodes", name)
        if self._connector is None:
            raise errors.unavailable("this API server has no way to its kubelets")
        status = node.get("status") or {}
        port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port") or KUBELET_PORT
        address = _address(node)
        await addresses.check_host(address)
        try:
            return self._connector(name, address, port)
        except transport.Unreachable as error:
            raise _unreachable(error) from error


async def forward(call: Call, way: transport.Transport, path: str, query: str) -> messages.Response:
    """The call's own request, with another path, sent on `way`; an upgrade becomes a pipe."""
    request = call.request
    keep = _UPGRADE if "upgrade" in request.headers else ()
    headers = passed_on(request.headers, keep=keep)
    try:
        return await pass_on(messages.Request(request.method, path, query, headers, request.body), way)
    except transport.Unreachable as error:
        raise _unreachable(error) from error


async def pass_on(request: messages.Request, way: transport.Transport) -> messages.Response:
    """The answer to `request`, which goes out as it is. Raises Unreachable."""
    if "upgrade" not in request.headers:
        return _answer(await way.stream(request))
    response, duplex = await way.upgrade(request)
    if duplex is None:
        return _answer(response)

    async def pipe(client: messages.Duplex) -> None:
        await join(client, duplex)

    return messages.Response(101, passed_on(response.headers, keep=_UPGRADE), upgrade=pipe)


async def ask(way: transport.Transport, request: messages.Request) -> messages.Response:
    try:
        return _answer(await way.stream(request))
    except transport.Unreachable as error:
        raise _unreachable(error) from error


def container_of(pod: Object, wanted: str, what: str) -> str:
    """The container a request means. Raises StatusError 400 with upstream's texts."""
    name = pod["metadata"]["name"]
    spec = pod.get("spec") or {}
    listed = {
        field: [one["name"] for one in spec.get(field) or ()]
        for field in ("containers", "initContainers", "ephemeralContainers")
    }
    every = [one for names in listed.values() for one in names]
    if wanted:
        if wanted not in every:
            raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(listed["containers"]) == 1:
        return str(listed["containers"][0])
    chosen = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER, "")
    if chosen in every:
        return str(chosen)
    text = f"a container name must be specified for pod {name}"
    if listed["containers"]:
        text += f", choose one of: [{' '.join(listed['containers'])}]"
    if listed["initContainers"]:
        text += f" or one of the init containers: [{' '.join(listed['initContainers'])}]"
    raise errors.bad_request(text)


async def join(left: messages.Duplex, right: messages.Duplex) -> None:
    """Carry bytes both ways until one side ends; both are closed then."""
    try:
        async with asyncio.TaskGroup() as group:
            copies = [group.create_task(_copy(left, right)), group.create_task(_copy(right, left))]
            await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
            for copy in copies:
                copy.cancel()
    finally:
        for side in (left, right):
            with contextlib.suppress(ConnectionError):
                await side.close()


async def _copy(source: messages.Duplex, target: messages.Duplex) -> None:
    with contextlib.suppress(ConnectionError, transport.Unreachable):  # a side that is gone ends the pipe, no more
        while data := await source.receive():
            await target.send(data)


def _of(pod: Object) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _node(pod: Object) -> str:
    node = str((pod.get("spec") or {}).get("nodeName", ""))
    if not node:
        raise errors.bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")
    return node


def _address(node: Object) -> str:
    """In upstream's order of preference, with the addresses first: names need not resolve where we run."""
    listed = {one.get("type"): one.get("address", "") for one in (node.get("status") or {}).get("addresses") or ()}
    for kind in ("InternalIP", "ExternalIP", "Hostname", "InternalDNS", "ExternalDNS"):
        if listed.get(kind):
            return str(listed[kind])
    name = node["metadata"]["name"]
    raise errors.unavailable(f'error trying to reach service: node "{name}" has no address')


def passed_on(headers: Mapping[str, str], keep: tuple[str, ...] = ()) -> dict[str, str]:
    dropped = _OWN | {"upgrade"}
    return {
        name: value
        for name, value in ((name.lower(), value) for name, value in headers.items())
        if name in keep or (name not in dropped and not name.startswith("impersonate-"))
    }


def _answer(response: messages.Response) -> messages.Response:
    """The kubelet's answer as ours: framing headers are our own."""
    return messages.Response(response.status, passed_on(response.headers), response.body, response.stream)


def _query(pairs: list[tuple[str, str]]) -> str:
    return urllib.parse.urlencode(pairs)


def _is_true(call: Call, name: str) -> bool:
    values = call.parameters.get(name)
    return bool(values) and values[0] in _TRUE if values else False


def _unreachable(error: Exception) -> errors.StatusError:
    return errors.StatusError(errors.status(500, "InternalError", f"error dialing backend: {error}"))


def _check_log_options(call: Call) -> None:
    """Raises StatusError 400 or 422."""
    causes = []
    for name, least in (("tailLines", 0), ("sinceSeconds", 1), ("limitBytes", 1)):
        number = call.number(name)
        if number is not None and number < least:
            why = f"must be greater than {'or equal to 0' if least == 0 else '0'}"
            causes.append(errors.FieldError(name, "FieldValueInvalid", f"Invalid value: {number}: {why}"))
    if call.parameter("sinceSeconds") and call.parameter("sinceTime"):
        why = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        causes.append(errors.FieldError("", "FieldValueForbidden", why))
    if causes:
        raise errors.invalid("PodLogOptions", call.target.name, causes)
