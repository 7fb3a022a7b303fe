"""Pod networks, packet rules and DNS answers, in throw-away network namespaces (root only)."""

import asyncio
import contextlib
import os
import pathlib
import signal
import socket
import statistics
import tempfile
import time

import uvloop

from steersman.aio.clock import SystemClock
from steersman.dns import forwarder, server, zone
from steersman.network import namespaces
from steersman.proxy import nftables, rule_set, rules
from tests.bench.report import Figure
from tests.dns import builders as dns_builders
from tests.network import lab
from tests.proxy.builders import endpoint, endpoint_slice, service

PODS = 40
SERVICES, ENDPOINTS = 10_000, 3
QUESTIONS = 20_000
UNDER_WAY = 32
ASKED, CONNECTIONS = "10.97.0.1", 400


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        figures = [*asyncio.run(_pods(pathlib.Path(folder))), *_rules(folder), *asyncio.run(_first_packets(folder))]
    return [*figures, *asyncio.run(_answers()), *_answers_by_socket()]


def _milliseconds(started: float) -> float:
    return (time.perf_counter() - started) * 1000


async def _pods(folder: pathlib.Path) -> list[Figure]:
    attach, detach = [], []
    async with lab.opened(folder) as here:
        node = await here.add_node(1)
        for number in range(PODS):
            path = str(folder / f"pod-{number}")
            namespaces.pin({"net": path})
            try:
                pod = lab.Pod(f"pod-{number}", path)
                started = time.perf_counter()
                await node.pods.attach(pod.name, path, pod)
                attach.append(_milliseconds(started))
                started = time.perf_counter()
                await node.pods.detach(pod.name, path)
                detach.append(_milliseconds(started))
            finally:
                namespaces.unpin(path)
    return [
        Figure("pod joined to the network, median", statistics.median(attach), "ms", better="less"),
        Figure("pod taken off the network, median", statistics.median(detach), "ms", better="less"),
    ]


def _rules(folder: str) -> list[Figure]:
    path = f"{folder}/rules"
    namespaces.pin({"net": path})
    backend = nftables.Nftables(path)
    try:
        started = time.perf_counter()
        current = rule_set.RuleSet(rules.Place("n1"))
        for number in range(SERVICES):
            _update(current, number, 0)
        backend.replace(current.elements)
        whole = _milliseconds(started)
        changes = []
        for number in range(50):
            started = time.perf_counter()
            backend.apply(_update(current, number, 1))
            changes.append(_milliseconds(started))
    finally:
        backend.close()
        namespaces.unpin(path)
    many = f"{SERVICES:,} services × {ENDPOINTS} endpoints"
    return [
        Figure(
            f"{many} programmed", whole, "ms", 36_000, 36, "less", "kube-proxy's own layout, measured on such a machine"
        ),
        Figure("one endpoint changed, median", statistics.median(changes), "ms", 211, 42, "less"),
        Figure("one endpoint changed, slowest of 50", max(changes), "ms", 211, 0, "less"),
    ]


def _update(current: rule_set.RuleSet, number: int, shift: int) -> rule_set.Change:
    change = rule_set.Change()
    name = f"s{number}"
    members = [endpoint(f"10.{number // 200 + 1}.{number % 200}.{n + 1 + shift}", "n2") for n in range(ENDPOINTS)]
    wanted = service(name, f"10.96.{number // 250}.{number % 250 + 1}")
    current.update(f"d/{name}", wanted, [endpoint_slice(*members, of=name)], change)
    return change


async def _first_packets(folder: str) -> list[Figure]:
    """What a connection takes through a Service, from the first packet to the last: many Services must not make it slower."""
    medians = {}
    place = pathlib.Path(folder, "lab")
    place.mkdir()
    async with lab.opened(place) as here:
        node = await here.add_node(1)
        client, target = await here.add_pod(node, "client"), await here.add_pod(node, "target")
        await here.serve_tcp(target.namespace, 80, "target")
        backend = nftables.Nftables(node.namespace)
        current = rule_set.RuleSet(rules.Place("node-1"))
        found = endpoint_slice(endpoint(target.address, "node-1"), of="asked", number=80)
        current.update("d/asked", service("asked", ASKED), [found], rule_set.Change())
        try:
            for count in (10, SERVICES):
                for number in range(count):
                    _update(current, number, 0)
                backend.replace(current.elements)
                taken = []
                for _ in range(CONNECTIONS):
                    taken.append(_connect_milliseconds(client.namespace))
                    await asyncio.sleep(0)  # the server's turn
                medians[count] = statistics.median(taken)
        finally:
            backend.close()
    ratio = medians[SERVICES] / medians[10]
    return [
        Figure("connection through 1 of 10 services, median", medians[10], "ms", better="less"),
        Figure(f"the same, of {SERVICES:,}", medians[SERVICES], "ms", better="less"),
        Figure("their ratio", ratio, "×", 0, 1.2, "less"),
    ]


def _connect_milliseconds(namespace: str) -> float:
    with namespaces.open_socket(namespace, socket.AF_INET, socket.SOCK_STREAM) as channel:
        started = time.perf_counter()
        channel.connect((ASKED, 80))
        return _milliseconds(started)


def _answers_by_socket() -> list[Figure]:
    """By datagrams, from a server in a process of its own; what counts is the processor's time it takes."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            uvloop.run(_serve_names(tell))
        finally:
            os._exit(0)
    port = int.from_bytes(os.read(ready, 2), "big")
    question = dns_builders.message("web.default.svc.cluster.local", "A")
    answered = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.connect(("127.0.0.1", port))
        channel.settimeout(1.0)
        while answered < QUESTIONS:
            for _ in range(UNDER_WAY):
                channel.send(question)
            for _ in range(UNDER_WAY):
                channel.recv(512)
            answered += UNDER_WAY
    os.kill(pid, signal.SIGKILL)
    _, _, used = os.wait4(pid, 0)
    rate = answered / (used.ru_utime + used.ru_stime)
    return [Figure("DNS answers by UDP, per second of one core", rate, "/s", 0, 20_000)]


async def _serve_names(tell: int) -> None:
    names = zone.Zone(dns_builders.ListedRecords([dns_builders.service()]))
    clock = SystemClock()
    serving = server.Server(names, forwarder.Forwarder((), clock), clock)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = asyncio.create_task(serving.serve(["127.0.0.1"], port))
    while True:
        await asyncio.sleep(0.001)
        with contextlib.suppress(ConnectionRefusedError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)  # it listens for datagrams before
            writer.close()
            break
    os.write(tell, port.to_bytes(2, "big"))
    await started


async def _answers() -> list[Figure]:
    names = zone.Zone(dns_builders.ListedRecords([dns_builders.service()]))
    clock = SystemClock()
    serving = server.Server(names, forwarder.Forwarder((), clock), clock)
    question = dns_builders.message("web.default.svc.cluster.local", "A")
    started = time.perf_counter()
    for _ in range(QUESTIONS):
        serving.answer_nowait(question)
    known = QUESTIONS / (time.perf_counter() - started)
    started = time.perf_counter()
    for _ in range(QUESTIONS // 10):
        serving.forget()
        serving.answer_nowait(question)
    fresh = QUESTIONS / 10 / (time.perf_counter() - started)
    return [
        Figure("DNS answers, asked before", known, "/s", note="without the socket"),
        Figure("DNS answers, worked out anew", fresh, "/s", note="without the socket"),
    ]
