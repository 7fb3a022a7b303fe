"""A new machine's first conversation with a cluster: is it the right one, what must be known of it, may I come in.

Reads: ConfigMaps kube-public/cluster-info (as nobody) and kube-system/steersman-config, Node.
Writes: the authority's certificate, the machine's first client certificate.
Leaves to others: what to believe (`discovery`), what is allowed (`rules`).
"""

import contextlib
import dataclasses
import os
import ssl
import urllib.parse
from collections.abc import AsyncIterator, Collection, Sequence

import orjson

from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.apiserver import joining
from steersman.client.access import Access
from steersman.client.client import Client, Unreachable
from steersman.client.transport import HttpTransport
from steersman.cluster import pki
from steersman.cluster.join import certificates, configuration, discovery, membership, rules
from steersman.cluster.join.configuration import Configuration
from steersman.cluster.join.discovery import Refused, Token
from steersman.cluster.paths import Paths
from steersman.meta import conditions, errors
from steersman.meta.objects import Object
from steersman.serving.messages import Request, Response

SIGNED_SECONDS_MAX = 5.0  # from the making of a token to its signature
LOOK_SECONDS = 0.5
AGENT = "steersman-join"


async def discover(server: str, token: Token, pins: Collection[str], clock: Clock) -> bytes:
    """The certificate (PEM) of the cluster's authority. Raises Refused."""
    deadline = clock.monotonic() + SIGNED_SECONDS_MAX
    async with _reached(Access(server, insecure=True), clock) as transport:
        while True:
            answer = await _ask(transport, discovery.CLUSTER_INFO, server)
            skew = discovery.clock_skew(answer.headers.get("date", ""), clock.now())
            if skew:
                raise Refused(skew)
            try:
                found = discovery.authority(_data(answer, server), token, pins)
                break
            except discovery.NotSigned:
                if clock.monotonic() > deadline:
                    raise
            await clock.sleep(LOOK_SECONDS)
    async with _reached(Access(server, authority=found), clock) as transport:
        # Again, from somebody who has the authority's key: whoever answered first may only have passed the answer on.
        _data(await _ask(transport, discovery.CLUSTER_INFO, server), server)
    return found


async def learn(server: str, authority: bytes, token: Token, node: str, clock: Clock) -> Configuration:
    """What the cluster tells its machines; it has no Node of this name that lives. Raises Refused."""
    async with _reached(Access(server, authority=authority, token=str(token)), clock) as transport:
        client = Client(transport, user_agent=AGENT, clock=clock)
        try:
            try:
                known = await client.get(kinds.NODE, node)
            except errors.StatusError as refused:
                if refused.code != 404:
                    raise
                known = None
            told = await client.get(kinds.CONFIG_MAP, joining.CONFIGURATION, "kube-system")
            found = configuration.parse(told.get("data") or {})
        except errors.StatusError as refused:
            raise Refused(_may_not(refused)) from refused
        except Unreachable as lost:
            raise Refused(_unreachable(server, lost)) from lost
        except configuration.Unusable as problem:
            raise Refused(str(problem)) from problem
    taken = rules.taken(node, known, found.names)
    if taken:
        raise Refused(taken)
    return found


async def enter(where: Paths, of: membership.Membership, authority: bytes, token: Token, clock: Clock) -> None:
    """Get the machine's first certificate. Raises Refused."""
    pki.write(membership.authority(where), authority)
    target = membership.certificate(where, pki.node_identity(of.node))
    async with _reached(Access(of.server, authority=authority, token=str(token)), clock) as transport:
        client = Client(transport, user_agent=AGENT, clock=clock)
        try:
            await certificates.obtain(client, certificates.of_node(of.node, of.certificate_seconds), target, clock)
        except errors.StatusError as refused:
            raise Refused(_may_not(refused)) from refused
        except Unreachable as lost:
            raise Refused(_unreachable(of.server, lost)) from lost
        except certificates.NotGiven as problem:
            raise Refused(str(problem)) from problem


async def recognize(where: Paths, of: membership.Membership, clock: Clock) -> None:
    """Raises Refused where somebody answers who is not the cluster that this machine joined. Silence is not held against it: it may
    be starting, too."""
    async with _reached(access(where, of), clock) as transport:
        try:
            await transport.request(Request("GET", "/version"))
        except Unreachable as lost:
            if isinstance(lost.__cause__, ssl.SSLCertVerificationError):
                raise Refused(
                    f"{of.server} is not the cluster that this machine joined ({lost.__cause__.verify_message}): if another "
                    "one was made in its place, `steersman down --purge` forgets the old one."
                ) from lost


@dataclasses.dataclass(frozen=True, slots=True)
class Own:
    """What the cluster has of this machine. `node` is None where somebody deleted it."""

    version: str
    node: Object | None
    pods: Sequence[Object]


async def see_own(where: Paths, of: membership.Membership, clock: Clock) -> Own | None:
    """None where the API server cannot be asked, or does not know this machine any more."""
    async with _reached(access(where, of), clock) as transport:
        client = Client(transport, user_agent=AGENT, clock=clock)
        try:
            answer = await client.request(Request("GET", "/version"))
            nodes = await client.list(kinds.NODE, field_selector=f"metadata.name={of.node}")
            pods = await client.list(kinds.POD, field_selector=f"spec.nodeName={of.node}")
        except (errors.StatusError, Unreachable):
            return None
    version = str(orjson.loads(answer.body).get("gitVersion", ""))
    return Own(version, next(iter(nodes.items), None), pods.items)


async def is_ready(where: Paths, of: membership.Membership, since: str, clock: Clock) -> bool:
    """Whether the Node has said that it is Ready at `since` (RFC 3339) or later."""
    own = await see_own(where, of, clock)
    ready = conditions.get(own.node, "Ready") if own and own.node else None
    return bool(ready and ready["status"] == "True" and str(ready.get("lastHeartbeatTime") or "") >= since)


def access(where: Paths, of: membership.Membership) -> Access:
    """As the node."""
    pem = membership.certificate(where, pki.node_identity(of.node)).read_bytes()
    return Access(of.server, authority=membership.authority(where).read_bytes(), certificate=pem, key=pem)


@contextlib.asynccontextmanager
async def _reached(how: Access, clock: Clock) -> AsyncIterator[HttpTransport]:
    transport = HttpTransport(how, clock=clock)
    try:
        yield transport
    finally:
        await transport.close()


async def _ask(transport: HttpTransport, path: str, server: str) -> Response:
    try:
        return await transport.request(Request("GET", path, headers={"accept": "application/json"}))
    except Unreachable as lost:
        raise Refused(_unreachable(server, lost)) from lost


def _data(answer: Response, server: str) -> dict[str, str]:
    try:
        found: dict[str, str] = orjson.loads(answer.body).get("data") or {}
    except (orjson.JSONDecodeError, AttributeError):
        found = {}
    if answer.status != 200 or not found:
        raise Refused(
            f"{server} is no cluster that a machine can join: it does not tell what it is (answer {answer.status})."
        )
    return found


def _unreachable(server: str, lost: Unreachable) -> str:
    cause = lost.__cause__
    host = urllib.parse.urlsplit(server).hostname
    if isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code in _WRONG_NAME:
        return (
            f"The server's certificate is not for {host}: use the address that `steersman token create --print-join-command` "
            f"prints, or start the cluster with --tls-san {host}."
        )
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"The server at {server} does not have the key of the cluster's authority ({cause.verify_message})."
    why = os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else str(lost)
    return f"{server} cannot be reached ({why}): is it the right address, and does a firewall let this port through?"


_WRONG_NAME = (62, 64)  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH


def _may_not(refused: errors.StatusError) -> str:
    if refused.code == 401:
        return "The token has expired or was deleted: make another one there (steersman token create --print-join-command)."
    if refused.code == 404:
        return f"The cluster is not open to other machines: start it there with --listen ({refused})."
    return f"The token does not give the right to join: {refused}."
