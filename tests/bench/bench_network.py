"""Pod networks, packet rules and DNS answers, in throw-away network namespaces (root only)."""

import asyncio
import pathlib
import statistics
import tempfile
import time

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


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        return [*asyncio.run(_pods(pathlib.Path(folder))), *_rules(folder), *asyncio.run(_answers())]


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
        Figure(f"{many} programmed", whole, "ms", 36_000, 36, "less", "kube-proxy's own layout: NODE-FACTS C.2"),
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
