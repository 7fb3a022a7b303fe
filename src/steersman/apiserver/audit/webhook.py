"""Audit events for a server elsewhere, many at once: upstream's webhook backend in its batch mode.

Keeps true: no request waits for it; what does not fit into the buffer is dropped and said so. Numbers are upstream's defaults.
"""

import asyncio
import logging
import urllib.parse
from collections import deque
from pathlib import Path

import orjson

from steersman.aio.clock import Clock
from steersman.apiserver.audit.policy import API_VERSION
from steersman.client import kubeconfig
from steersman.client.access import Access
from steersman.client.transport import HttpTransport, Unreachable
from steersman.meta.objects import Object
from steersman.serving.messages import Request

log = logging.getLogger(__name__)

BUFFER_MAX = 10_000
BATCH_MAX = 400
BATCH_WAIT_SECONDS = 30.0
BATCHES_PER_SECOND = 10.0
TRIES = 5
FIRST_PAUSE_SECONDS = 10.0
PAUSE_GROWTH = 1.5
GOODBYE_SECONDS = 5.0  # for what is left when the server ends


def access(path: str) -> Access:
    """Of a kubeconfig file. Raises ValueError."""
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file")
    try:
        return kubeconfig.access(kubeconfig.load([Path(path)]))
    except kubeconfig.KubeconfigError as wrong:
        raise ValueError(f"{path}: {wrong}") from wrong


class Webhook:
    def __init__(self, access: Access, clock: Clock) -> None:
        """`access` names the server with the whole path to it. Raises ValueError, OSError."""
        self._transport = HttpTransport(access, clock=clock)
        self._path = "" if urllib.parse.urlsplit(access.server).path.strip("/") else "/"
        self._clock = clock
        self._waiting: deque[Object] = deque()
        self._wake = asyncio.Event()
        self._dropped = 0

    def write(self, event: Object) -> None:
        if len(self._waiting) >= BUFFER_MAX:
            self._dropped += 1
            if self._dropped == 1:
                log.error("the audit webhook is too slow: events are dropped")
            return
        self._waiting.append(event)
        if len(self._waiting) in (1, BATCH_MAX):
            self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if len(self._waiting) < BATCH_MAX:
                await self._wait_for_more()
            while self._waiting:
                await self._send(self._batch())
                await self._clock.sleep(1 / BATCHES_PER_SECOND)

    async def close(self) -> None:
        """What waits is sent, if that can be done soon."""
        try:
            async with self._clock.timeout(GOODBYE_SECONDS):
                while self._waiting:
                    await self._post(self._batch())
        except (TimeoutError, Unreachable) as lost:
            log.error("audit events are lost at the end: %s", lost or "no answer in time")
        await self._transport.close()

    async def _wait_for_more(self) -> None:
        try:
            async with self._clock.timeout(BATCH_WAIT_SECONDS):
                while len(self._waiting) < BATCH_MAX:
                    await self._wake.wait()
                    self._wake.clear()
        except TimeoutError:
            return

    def _batch(self) -> list[Object]:
        return [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]

    async def _send(self, batch: list[Object]) -> None:
        pause = FIRST_PAUSE_SECONDS
        for left in reversed(range(TRIES)):
            try:
                status = await self._post(batch)
            except Unreachable as lost:
                why = str(lost)
            else:
                if status < 400:
                    return
                why = f"answered {status}"
                if status != 429 and status < 500:
                    left = 0
            if not left:
                log.error("%d audit events are lost: %s", len(batch), why)
                return
            await self._clock.sleep(pause)
            pause *= PAUSE_GROWTH

    async def _post(self, batch: list[Object]) -> int:
        """The code of the answer. Raises Unreachable."""
        body = orjson.dumps({"kind": "EventList", "apiVersion": API_VERSION, "metadata": {}, "items": batch})
        headers = {"content-type": "application/json", "accept": "application/json"}
        return (await self._transport.request(Request("POST", self._path, "", headers, body))).status
