"""Looks at nodes through their kubelets, and remembers the last two looks at each.

A look that is young enough is used again: several who ask at the same time make one look. A node that does not answer is left out.
"""

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping

import orjson

from steersman.aio import clock as clocks
from steersman.apiserver.resource_metrics import usage
from steersman.apiserver.resource_metrics.usage import Key, Reading, Use
from steersman.apiserver.subresources import kubelet
from steersman.client import transport
from steersman.meta import errors
from steersman.serving.messages import Request

FRESH_SECONDS = 2.0  # younger looks are not repeated
PAUSE_SECONDS = 1.0  # between the two looks that somebody waits for
ANSWER_SECONDS = 10.0  # metrics-server's --kubelet-request-timeout
SIDE_BY_SIDE_MAX = 64


@dataclasses.dataclass(slots=True)
class _Node:
    before: Reading | None = None
    after: Reading | None = None
    lock: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)


class Looks:
    def __init__(self, kubelets: kubelet.Kubelets, clock: clocks.Clock) -> None:
        self._kubelets = kubelets
        self._clock = clock
        self._nodes: dict[str, _Node] = {}
        self._slots = asyncio.Semaphore(SIDE_BY_SIDE_MAX)

    async def of(self, names: Iterable[str]) -> dict[str, tuple[Reading, Mapping[Key, Use]]]:
        """The last look at each node that answers, and what was used there."""
        wanted = list(dict.fromkeys(names))
        found = await asyncio.gather(*(self._look(name) for name in wanted))
        return {name: one for name, one in zip(wanted, found, strict=True) if one is not None}

    def forget_all_but(self, names: Iterable[str]) -> None:
        kept = set(names)
        self._nodes = {name: node for name, node in self._nodes.items() if name in kept}

    async def _look(self, name: str) -> tuple[Reading, Mapping[Key, Use]] | None:
        node = self._nodes.setdefault(name, _Node())
        async with node.lock, self._slots:
            try:
                await self._refresh(name, node)
            except (errors.StatusError, transport.Unreachable, TimeoutError):
                return None
        assert node.after is not None
        return node.after, usage.uses(node.before, node.after)

    async def _refresh(self, name: str, node: _Node) -> None:
        now = self._clock.now()
        if node.after is not None and (now - node.after.at).total_seconds() < FRESH_SECONDS:
            return
        before = node.after if node.after is not None and not usage.is_old(node.after, now) else None
        after = await self._read(name)
        if usage.needs_another_look(before, after):
            await self._clock.sleep(PAUSE_SECONDS)
            before, after = before or after, await self._read(name)
        node.before, node.after = before, after

    async def _read(self, name: str) -> Reading:
        query = f"only_cpu_and_memory=true&node={name}"
        async with self._clock.timeout(ANSWER_SECONDS):
            response = await self._kubelets.request(name, Request("GET", "/stats/summary", query))
        if response.status != 200:
            raise errors.unavailable(f"the kubelet of {name} answers {response.status}")
        return usage.read(orjson.loads(response.body), self._clock.now())
