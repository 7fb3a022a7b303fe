"""`pods/NAME/proxy` and `services/NAME/proxy`: plain HTTP to a pod, straight from the API server.

Source: "Access services running on clusters", URLs `[https:]name[:port]`.
"""

from collections.abc import Callable

from steersman.api import kinds
from steersman.apiserver import decoded
from steersman.apiserver.call import Call
from steersman.apiserver.subresources import kubelet
from steersman.client import transport
from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.serving import messages

# (scheme, address, port) → a way to speak to a pod.
PodConnector = Callable[[str, str, int], transport.Transport]


class Proxy:
    def __init__(self, objects: decoded.DecodedObjects, connector: PodConnector | None) -> None:
        self._objects = objects
        self._connector = connector

    async def answer(self, call: Call) -> messages.Response:
        scheme, name, port = split(call.target.name)
        if call.kind is kinds.POD:
            address, number = await self._pod(call, name, port)
        else:
            address, number = await self._service(call, name, port)
        if self._connector is None:
            raise errors.unavailable("this API server has no way to its pods")
        return await kubelet.forward(
            call, self._connector(scheme, address, number), "/" + call.target.rest, call.request.query
        )

    async def _pod(self, call: Call, name: str, port: str) -> tuple[str, int]:
        pod = await self._objects.get(kinds.POD, call.target.namespace, name)
        if pod is None:
            raise call.not_found(name)
        address = (pod.get("status") or {}).get("podIP", "")
        if not address:
            raise errors.bad_request("address not allowed")
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
        for found in await self._objects.list(kinds.ENDPOINT_SLICE, call.target.namespace):
            if (found["metadata"].get("labels") or {}).get("kubernetes.io/service-name") != name:
                continue
            number = _port_of_slice(found, port)
            for endpoint in found.get("endpoints") or () if number else ():
                if (endpoint.get("conditions") or {}).get("ready", True) and endpoint.get("addresses"):
                    return endpoint["addresses"][0], number
        raise errors.unavailable(f'no endpoints available for service "{call.target.name}"')


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
