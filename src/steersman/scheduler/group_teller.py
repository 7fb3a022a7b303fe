"""Writes what became of PodGroups into their status: the condition PodGroupInitiallyScheduled.

Keeps true: once True it stays so, whatever becomes of pods that come later.
The newest outcome of a group is written; those that a newer one overtook while they waited are not.
"""

import asyncio
import logging

from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.client.cache import Cache
from steersman.client.client import Client, Unreachable
from steersman.meta import conditions, objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object
from steersman.scheduler.decide import GroupOutcome

_log = logging.getLogger(__name__)

CONDITION = "PodGroupInitiallyScheduled"


class GroupTeller:
    def __init__(self, client: Client, clock: Clock, known: Cache) -> None:
        self._client = client
        self._clock = clock
        self._groups = known
        self._untold: dict[str, GroupOutcome] = {}
        self._wake = asyncio.Event()

    def tell(self, outcome: GroupOutcome) -> None:
        self._untold[outcome.group.group.key] = outcome
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            untold, self._untold = self._untold, {}
            for key, outcome in untold.items():
                group = self._groups.get(key)
                if group is not None:
                    await self._write(group, outcome)

    async def _write(self, group: Object, outcome: GroupOutcome) -> None:
        old = conditions.get(group, CONDITION)
        if old is not None and old["status"] == "True" and not outcome.scheduled:
            return
        status = "True" if outcome.scheduled else "False"
        new: Object = {"type": CONDITION, "status": status, "reason": outcome.reason, "message": outcome.message}
        if group["metadata"].get("generation"):
            new["observedGeneration"] = group["metadata"]["generation"]
        if old is not None and all(old.get(field) == value for field, value in new.items()):
            return
        body = {
            "metadata": {"uid": objects.uid(group)},
            "status": {"conditions": conditions.set([old] if old else [], new, self._clock.now())},
        }
        try:
            await self._client.patch(
                kinds.POD_GROUP_V1BETA1,
                objects.name(group),
                objects.namespace(group),
                body,
                type="strategic",
                subresource="status",
                because=objects.revision(group),
            )
        except (StatusError, Unreachable) as refused:
            # The next attempt at its pods says it again.
            _log.info("%s: condition not written: %s", objects.key(group), refused)
