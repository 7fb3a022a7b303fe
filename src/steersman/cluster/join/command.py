"""`steersman join`: become a node of a cluster, or start again as one, or say that this machine is one already."""

import asyncio
import contextlib
import dataclasses
import os
import signal
import socket
import sys
import urllib.parse
from collections.abc import Sequence
from typing import Any

from steersman.aio.clock import Clock, SystemClock
from steersman.cluster import control, detached, down, machine, options, paths, pki, reach, tokens
from steersman.cluster.join import certificates, contact, discovery, membership, rules, start
from steersman.cluster.join.discovery import Refused, Token
from steersman.cluster.join.membership import Membership
from steersman.cluster.paths import Paths
from steersman.meta import times
from steersman.network import machine_network

READY_SECONDS_MAX = 90.0
LOOK_SECONDS, ATTEND_SECONDS = 0.2, 1.0
KUBELET_PORT = 10250


@dataclasses.dataclass(frozen=True, slots=True)
class Invitation:
    """Where the cluster is, and how it and this machine come to trust each other. `pins`: hashes of its authority's key; without
    any, whoever knows the token is believed if `unpinned` says so."""

    server: str
    token: Token | None
    pins: tuple[str, ...] = ()
    unpinned: bool = False


def run(
    name: str, data_dir: str | None, invitation: Invitation, flags: dict[str, Any], *, foreground: bool = False
) -> int:
    """`flags`: fields of Membership, None where they were not given; `node` and `address` among them."""
    clock = SystemClock()
    where = paths.of_cluster(name, data_dir)
    try:
        known = _known(where)
        if _runs(where):
            assert known is not None, "what runs has joined"
            _check_same(where, known, invitation)
            print(
                f"This machine is node {known.node} of {known.server} already; `steersman status` says more.",
                flush=True,
            )
            return _attend(where, clock) if foreground else 0
        if known is None:
            _checked(invitation)
        _check_machine(where, flags)
        where.prepare()
        given = {key: value for key, value in flags.items() if value is not None}
        is_new = known is None
        of = _again(where, known, invitation, given, clock) if known else _join(where, invitation, given, clock)
        return _start(where, of, clock, is_new=is_new, foreground=foreground)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1


def _known(where: Paths) -> Membership | None:
    """What this machine joined before. Raises Refused."""
    if where.holds_other_things():
        raise Refused(f"{where.data} holds other things: choose another --data-dir, one that may be deleted.")
    if membership.holds_cluster(where):
        raise Refused(
            f'This machine runs the cluster "{where.run.name}" itself: give another --name, or forget it with '
            "`steersman down --purge`."
        )
    return membership.load(where)


def _join(where: Paths, invitation: Invitation, given: dict[str, Any], clock: Clock) -> Membership:
    """For the first time. Raises Refused."""
    token = _checked(invitation)
    server = invitation.server
    node = given.pop("node", "") or _own_name()
    address = _address(server, given.pop("address", ""))
    authority = asyncio.run(contact.discover(server, token, invitation.pins, clock))
    cluster = asyncio.run(contact.learn(server, authority, token, node, clock))
    collision = rules.collision(machine_network.overlapping(cluster.ranges))
    if collision:
        raise Refused(collision)
    try:
        release = rules.release(cluster.kubernetes_version)
    except ValueError as problem:
        raise Refused(str(problem)) from problem
    of = Membership(server, node, address, release, cluster, **given)
    asyncio.run(contact.enter(where, of, authority, token, clock))
    membership.save(where, of)
    return of


def _again(where: Paths, known: Membership, invitation: Invitation, given: dict[str, Any], clock: Clock) -> Membership:
    """With what was kept; flags that are given replace theirs. A certificate that has ended takes another token. Raises Refused."""
    _check_same(where, known, invitation)
    if given.pop("node", known.node) != known.node:
        raise Refused(
            f"This machine is node {known.node}: `steersman down --purge` forgets that, then it can join by another name."
        )
    server = invitation.server or known.server
    address = _address(server, given.pop("address", ""))
    of = dataclasses.replace(known, server=server, address=address, **given)
    if not certificates.is_good(membership.certificate(where, pki.node_identity(of.node)), clock.now()):
        if invitation.token is None:
            raise Refused(
                "This machine's certificate has ended: join with a new token (there: steersman token create)."
            )
        authority = asyncio.run(contact.discover(server, _checked(invitation), invitation.pins, clock))
        asyncio.run(contact.enter(where, of, authority, invitation.token, clock))
    membership.save(where, of)
    return of


def _checked(invitation: Invitation) -> Token:
    """Raises Refused."""
    if not invitation.server or invitation.token is None:
        raise Refused(
            "This machine has joined no cluster yet: name its URL and a --token "
            "(there: steersman token create --print-join-command)."
        )
    if not invitation.pins and not invitation.unpinned:
        raise Refused(
            "Without --ca-cert-hash anybody who knows the token could pass for the cluster: give it, or say "
            "--discovery-token-unsafe-skip-ca-verification."
        )
    return invitation.token


def _check_same(where: Paths, known: Membership, invitation: Invitation) -> None:
    """The cluster may have moved; whether it is still the same its authority's key tells. Raises Refused."""
    if not invitation.server or invitation.server == known.server:
        return
    if tokens.pin_of(membership.authority(where).read_bytes()) not in invitation.pins:
        raise Refused(
            f"This machine is node {known.node} of {known.server}: `steersman down --purge` forgets that, then it can join "
            "another. (The same cluster at another address is known by its --ca-cert-hash.)"
        )


def _check_machine(where: Paths, flags: dict[str, Any]) -> None:
    """Raises Refused."""
    if os.geteuid() != 0:
        raise Refused("Only root can make this machine a node of another machine's cluster.")
    wanted = options.Options(nodes=2, runtime=flags.get("runtime") or "auto")  # more than one node: with nftables
    lacking = machine.missing(machine.look(), wanted)
    if lacking:
        raise Refused(lacking.partition(";")[0].rstrip(".") + ".")
    if not where.control_socket.exists() and _is_taken(KUBELET_PORT):
        raise Refused(f"Port {KUBELET_PORT} of this machine is in use: another kubelet runs here.")


def _address(server: str, wanted: str) -> str:
    """This machine's, on the way to `server`. Raises Refused."""
    if wanted and not reach.has_address(wanted):
        raise Refused(f"This machine does not have the address {wanted} that --node-ip names.")
    url = urllib.parse.urlsplit(server)
    found = wanted or reach.outward_address(url.hostname or "", url.port or 0)
    if not found:
        raise Refused(f"{server} cannot be reached: no route leads there from this machine, or its name is unknown.")
    if found == options.LOOPBACK:
        raise Refused(
            f"{server} is this machine itself: a cluster's own machine has its nodes from `steersman up --nodes N`."
        )
    return found


def _own_name() -> str:
    """Raises Refused."""
    try:
        return rules.check_name(socket.gethostname())
    except ValueError as problem:
        raise Refused(f"{problem}; give it a --node-name.") from problem


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.EVERYWHERE, port))
        except OSError:
            return True
    return False


def _runs(where: Paths) -> bool:
    try:
        control.ask(where.control_socket, {"command": "status"})
    except control.NotRunning:
        return False
    return True


def _start(where: Paths, of: Membership, clock: SystemClock, *, is_new: bool, foreground: bool) -> int:
    since = times.format_seconds(clock.now())
    start.preload()
    _, error = detached.fork(where, lambda started: start.supervise(where, of, started), f"steersman join ({of.node})")
    if error:
        print(error, file=sys.stderr)
        return 1
    if not asyncio.run(_ready(where, of, since, clock)):
        print(f"Not ready after {READY_SECONDS_MAX:.0f} s. See {where.logs}.", file=sys.stderr)
        return 1
    done = "has joined" if is_new else "is a member again of"
    print(f"This machine {done} the cluster at {of.server} as node {of.node}, address {of.address}.")
    print("  next        there: kubectl get nodes;  here: steersman status, steersman down", flush=True)
    return _attend(where, clock) if foreground else 0


async def _ready(where: Paths, of: Membership, since: str, clock: Clock) -> bool:
    deadline = clock.monotonic() + READY_SECONDS_MAX
    while not await contact.is_ready(where, of, since, clock):
        if clock.monotonic() > deadline:
            return False
        await clock.sleep(LOOK_SECONDS)
    return True


def _attend(where: Paths, clock: SystemClock) -> int:
    """Until the node is stopped, by somebody or by a signal to this process."""
    stopped: list[int] = []

    def stop(*_: object) -> None:
        with contextlib.suppress(control.NotRunning):
            stopped.append(control.ask(where.control_socket, {"command": "stop"})["pid"])

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    while _runs(where):
        clock.pause(ATTEND_SECONDS)
    return 0 if all(down.has_ended(pid) for pid in stopped) else 1


def parse_invitation(url: str, token: str, pins: Sequence[str], *, unpinned: bool) -> Invitation:
    """Raises ValueError."""
    return Invitation(
        discovery.parse_url(url) if url else "",
        discovery.parse_token(token) if token else None,
        tuple(map(discovery.parse_pin, pins)),
        unpinned,
    )
