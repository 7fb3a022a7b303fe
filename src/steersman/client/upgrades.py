"""Commands in pods, attaching, and forwarded ports: the client's handshakes with an API server or a kubelet.

WebSocket is asked for first, SPDY/3.1 where a server does not speak it (Kubernetes before 1.30 and 1.31). A refusal of both is
the last one's `StatusError`, or `UpgradeRefused` where it is no Status.
Source: KEP-4006, client-go's tools/remotecommand and tools/portforward.
"""

import dataclasses
import urllib.parse
from collections.abc import Mapping, Sequence

import orjson

from steersman.client.transport import Transport
from steersman.meta import errors
from steersman.serving import channels, port_forward, spdy, websocket
from steersman.serving.channels import Wanted
from steersman.serving.messages import Duplex, Request, Response
from steersman.serving.remote_sessions import SpdySession, WebSocketSession

Session = WebSocketSession | SpdySession
WITH_CLOSE, WITHOUT_CLOSE = "v5.channel.k8s.io", "v4.channel.k8s.io"


class UpgradeRefused(Exception):
    """The text is client-go's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """A pod's subresource: `/api/v1/namespaces/default/pods/web/exec`, and what is asked of it.

    Without `websocket` SPDY is spoken at once."""

    path: str
    parameters: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    websocket: bool = True

    def request(self, method: str, headers: Mapping[str, str]) -> Request:
        query = urllib.parse.urlencode(self.parameters)
        return Request(method, self.path, query, {**self.headers, **headers})


async def open_session(transport: Transport, target: Target, wanted: Wanted) -> Session:
    """Raises StatusError, UpgradeRefused, Unreachable.

    v4 over WebSocket cannot say that the input has ended: it is good for sessions whose input does not.
    """
    ends_input = wanted.stdin and not wanted.tty
    offered = [WITH_CLOSE] if ends_input else [WITH_CLOSE, WITHOUT_CLOSE]
    if (opened := await _websocket(transport, target, offered)) is not None:
        return WebSocketSession(*opened)
    connection = await _spdy(transport, target, channels.SPDY_PROTOCOLS)
    session = SpdySession(connection, wanted)
    await session.start()
    return session


async def open_forwarding(transport: Transport, target: Target) -> spdy.Session:
    """A SPDY session (to be `run`) whose pairs of streams are connections to ports of the pod.

    Raises StatusError, UpgradeRefused, Unreachable."""
    if (opened := await _websocket(transport, target, [port_forward.TUNNEL_PROTOCOL])) is not None:
        return spdy.Session(port_forward.Tunnel(opened[0]), server=False)
    return spdy.Session(await _spdy(transport, target, (port_forward.SPDY_PROTOCOL,)), server=False)


async def _websocket(
    transport: Transport, target: Target, offered: Sequence[str]
) -> tuple[websocket.WebSocket, str] | None:
    """A socket and the protocol that was chosen; None where the server speaks none of those that are offered."""
    if not target.websocket:
        return None
    response, duplex = await transport.upgrade(target.request("GET", websocket.ask(offered)))
    if duplex is None:
        return None
    protocol = response.headers.get("sec-websocket-protocol", "")
    if protocol in offered:
        return websocket.WebSocket(duplex, client=True), protocol
    await duplex.close()
    return None


async def _spdy(transport: Transport, target: Target, protocols: Sequence[str]) -> Duplex:
    headers = {
        "connection": "Upgrade",
        "upgrade": "SPDY/3.1",
        # A line for each, as client-go writes them: old servers read a joined one as the name of one protocol.
        channels.SPDY_VERSION_HEADER: "\n".join(protocols),
    }
    response, duplex = await transport.upgrade(target.request("POST", headers))
    if duplex is None:
        raise _refusal(response)
    return duplex


def _refusal(response: Response) -> Exception:
    try:
        status = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return errors.StatusError({"code": response.status, **status})
    return UpgradeRefused(f"unable to upgrade connection: {response.body.decode(errors='replace')}")
