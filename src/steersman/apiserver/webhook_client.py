"""How the API server reaches a webhook or an extension server: a URL, or a Service in the cluster.

A Service is reached at one of its ready endpoints, as upstream does it where the API server can route to pods, else at its
ClusterIP: so it answers as soon as an endpoint is ready, whether or not a proxy knows of it, and a kept connection never leads
to a pod that has gone. Its certificate must be for NAME.NAMESPACE.svc.
Reads: Services, EndpointSlices.  Writes: nothing.
"""

import base64
import binascii
import collections
import dataclasses

from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.apiserver import decoded
from steersman.client.access import Access
from steersman.client.transport import NO_CONNECTION, HttpTransport, Unreachable
from steersman.meta.objects import Object
from steersman.serving.messages import Request

TRANSPORTS_MAX = 256  # kept for reuse: one for each address and certificate authority
REQUEST_SECONDS_MAX = 65.0  # callers set their own deadlines, none beyond this
REQUESTS_MAX = 1000  # at one time to one server: whoever waits here would use up its deadline
_LABEL = "kubernetes.io/service-name"


class Failed(Exception):
    """The webhook was not reached, or did not answer as it should."""


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect to, and how the server is called in messages and in its certificate."""

    scheme: str
    host: str
    port: int
    name: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.name or self.host}:{self.port}"


class WebhookClient:
    """Shared by all webhooks: connections are kept by address."""

    def __init__(self, objects: decoded.DecodedObjects, clock: Clock) -> None:
        self._objects = objects
        self._clock = clock
        self._transports: collections.OrderedDict[tuple[object, ...], HttpTransport] = collections.OrderedDict()

    async def post(self, config: Object, query: str, body: bytes, seconds: float) -> bytes:
        """The body of a good answer. `config` is a WebhookClientConfig. Raises Failed with upstream's texts."""
        url, path = str(config.get("url") or ""), ""
        if url:
            shown = f"{url}?{query}"
        else:
            service = config["service"]
            path = "/" + str(service.get("path") or "").lstrip("/")
            name = f"{service['name']}.{service['namespace']}.svc"
            shown = f"https://{name}:{service.get('port') or 443}{path}?{query}"
        try:
            async with self._clock.timeout(seconds):
                endpoint, path = await self._endpoint(config)
                transport = self.transport(endpoint, bundle(config))
                headers = {"content-type": "application/json", "accept": "application/json, */*"}
                request = Request("POST", path, query, headers, body)
                try:
                    response = await transport.request(request)
                except Unreachable as why:
                    if str(why).startswith(NO_CONNECTION):
                        raise
                    # A kept connection that the server was closing: reviews may be asked twice, so once more on a new one.
                    response = await transport.request(request)
        except TimeoutError as late:
            raise Failed(f'Post "{shown}": context deadline exceeded') from late
        except (Unreachable, OSError, ValueError) as why:
            raise Failed(f'Post "{shown}": {why}') from why
        if not 200 <= response.status <= 206:
            raise Failed(refusal(response.status, response.body))
        return response.body

    async def _endpoint(self, config: Object) -> tuple[Endpoint, str]:
        url = str(config.get("url") or "")
        if not url:
            service = config["service"]
            found = await self.service(service["namespace"], service["name"], service.get("port") or 443)
            return found, "/" + str(service.get("path") or "").lstrip("/")
        scheme, _, rest = url.partition("://")
        place, slash, path = rest.partition("/")
        host, colon, port = place.rpartition(":")
        if not colon or not port.isdigit():
            host, port = place, "443"
        return Endpoint(scheme, host.strip("[]"), int(port), ""), slash + path or "/"

    async def service(self, namespace: str, name: str, port: int) -> Endpoint:
        """Raises Failed where there is nothing to connect to."""
        service = await self._objects.get(kinds.SERVICE, namespace, name)
        if service is None:
            raise Failed(f'service "{name}" not found')
        spec, called = service.get("spec") or {}, f"{name}.{namespace}.svc"
        if spec.get("type") == "ExternalName":
            return Endpoint("https", str(spec.get("externalName", "")), port, called)
        named = next((one for one in spec.get("ports") or () if one.get("port") == port), None)
        if named is None:
            raise Failed(f'no service port {port} found for service "{name}"')
        ready = await self._ready(namespace, name, named.get("name", ""))
        if ready is not None:
            return Endpoint("https", ready[0], ready[1], called)
        address = str(spec.get("clusterIP") or "")
        if address in ("", "None"):
            raise Failed(f'no endpoints available for service "{name}"')
        return Endpoint("https", address, port, called)

    async def _ready(self, namespace: str, name: str, port: str) -> tuple[str, int] | None:
        for found in await self._objects.list(kinds.ENDPOINT_SLICE, namespace):
            if (found["metadata"].get("labels") or {}).get(_LABEL) != name:
                continue
            number = next(
                (one.get("port") for one in found.get("ports") or () if (one.get("name") or "") == port), None
            )
            for endpoint in found.get("endpoints") or () if number else ():
                if (endpoint.get("conditions") or {}).get("ready", True) and endpoint.get("addresses"):
                    return str(endpoint["addresses"][0]), int(number or 0)
        return None

    def transport(
        self,
        endpoint: Endpoint,
        authority: bytes,
        *,
        insecure: bool = False,
        identity: tuple[bytes, bytes] = (b"", b""),
    ) -> HttpTransport:
        """A way there, kept for the next one who asks; `identity` are certificate and key to show. Raises Failed for an
        authority that is none."""
        key = endpoint, authority, insecure, identity
        found = self._transports.get(key)
        if found is None:
            host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
            access = Access(
                f"{endpoint.scheme}://{host}:{endpoint.port}",
                authority=authority,
                certificate=identity[0],
                key=identity[1],
                server_name=endpoint.name,
                insecure=insecure,
            )
            try:
                found = HttpTransport(
                    access,
                    clock=self._clock,
                    request_seconds=REQUEST_SECONDS_MAX,
                    requests_max=REQUESTS_MAX,
                    in_a_hurry=True,
                )
            except (OSError, ValueError) as wrong:
                raise Failed(f"unable to load root certificates: {wrong}") from wrong
            self._transports[key] = found
            if len(self._transports) > TRANSPORTS_MAX:
                self._transports.popitem(last=False)
        self._transports.move_to_end(key)
        return found

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.close()
        self._transports.clear()


def bundle(config: Object) -> bytes:
    """The PEM of `caBundle`; b"" means the authorities of the system."""
    try:
        return base64.b64decode(config.get("caBundle") or "")
    except binascii.Error as wrong:
        raise Failed(f"unable to load root certificates: {wrong}") from wrong


_REFUSALS = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    403: "the server does not allow access to the requested resource",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    406: "the server was unable to respond with a content type that the client supports",
    409: "the server reported a conflict",
    410: "the server has gone",
    415: "the server responded with a content type that the client does not support",
    422: "the server rejected our request due to an error in our request",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}


def refusal(status: int, body: bytes) -> str:
    """What upstream's client makes of an answer that is no success."""
    known = _REFUSALS.get(status)
    if known is not None:
        return known
    text = body[:2048].decode(errors="replace").strip() or "unknown"
    if status >= 500:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'an error on the server ("{quoted}") has prevented the request from succeeding'
    return f"the server responded with the status code {status} but did not return more information"
