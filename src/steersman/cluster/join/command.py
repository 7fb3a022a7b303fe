"""`steersman join`: become a node of a cluster, or start again as one, or say that this machine is one already."""

import asyncio
import contextlib
import dataclasses
import signal
import sys
from typing import Any

from steersman.aio.clock import Clock, SystemClock
from steersman.cluster import control, detached, down, paths, pki, tokens
from steersman.cluster.join import certificates, contact, invitation, membership, rules, start, this_machine
from steersman.cluster.join.discovery import Refused
from steersman.cluster.join.invitation import Invitation
from steersman.cluster.join.membership import Membership
from steersman.cluster.paths import Paths
from steersman.meta import times
from steersman.network import machine_network

READY_SECONDS_MAX = 90.0
LOOK_SECONDS, ATTEND_SECONDS = 0.2, 1.0


def run(
    name: str, data_dir: str | None, invited: Invitation, flags: dict[str, Any], *, foreground: bool = False
) -> int:
    """`flags`: fields of Membership, None where they were not given."""
    clock = SystemClock()
    where = paths.of_cluster(name, data_dir)
    try:
        known = _known(where)
        _insist(_stranger(where, known, invited) if known else invitation.lacking(invited))
        if known and _runs(where):
            said = f"This machine is node {known.node} of {known.server} already; `steersman status` says more."
            print(said, flush=True)
            return _attend(where, clock) if foreground else 0
        this_machine.check(
            flags.get("runtime") or "auto", runs_node=known is not None and where.control_socket.exists()
        )
        where.prepare()
        given = {key: value for key, value in flags.items() if value is not None}
        of = _again(where, known, invited, given, clock) if known else _join(where, invited, given, clock)
        return _start(where, of, clock, is_new=known is None, foreground=foreground)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1


def _insist(refusal: str) -> None:
    """Raises Refused, unless there is nothing to say."""
    if refusal:
        raise Refused(refusal)


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


def _stranger(where: Paths, known: Membership, invited: Invitation) -> str:
    pin = tokens.pin_of(membership.authority(where).read_bytes())
    return invitation.to_another(invited, known.node, known.server, pin)


def _join(where: Paths, invited: Invitation, given: dict[str, Any], clock: Clock) -> Membership:
    """For the first time. Raises Refused."""
    assert invited.token is not None, "an invitation that lacks nothing has one"
    server, token = invited.server, invited.token
    node = given.pop("node", "") or this_machine.name()
    address = this_machine.address(server, given.get("node_ip", ""))
    authority = asyncio.run(contact.discover(server, token, invited.pins, clock))
    cluster = asyncio.run(contact.learn(server, authority, token, node, clock))
    _insist(rules.collision(machine_network.overlapping(cluster.ranges)))
    try:
        release = rules.release(cluster.kubernetes_version)
    except ValueError as problem:
        raise Refused(str(problem)) from problem
    of = Membership(server, node, address, release, cluster, **given)
    asyncio.run(contact.enter(where, of, authority, token, clock))
    membership.save(where, of)
    return of


def _again(where: Paths, known: Membership, invited: Invitation, given: dict[str, Any], clock: Clock) -> Membership:
    """With what was kept; flags that are given replace theirs. A certificate that has ended takes another token. Raises Refused."""
    if given.pop("node", known.node) != known.node:
        raise Refused(
            f"This machine is node {known.node}: `steersman down --purge` forgets that, then it can join by another name."
        )
    server = invited.server or known.server
    address = this_machine.address(server, given.get("node_ip", known.node_ip))
    of = dataclasses.replace(known, server=server, address=address, **given)
    if not certificates.is_good(membership.certificate(where, pki.node_identity(of.node)), clock.now()):
        if invited.token is None:
            raise Refused(
                "This machine's certificate has ended: join with a new token (there: steersman token create)."
            )
        _insist(invitation.lacking(invited))
        authority = asyncio.run(contact.discover(server, invited.token, invited.pins, clock))
        asyncio.run(contact.enter(where, of, authority, invited.token, clock))
    asyncio.run(contact.recognize(where, of, clock))
    membership.save(where, of)
    return of


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
