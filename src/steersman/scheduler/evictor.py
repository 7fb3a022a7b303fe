"""Carries out what `preemption` decided: victims are told to go, and what a pod waits for is written into its status.

Order, upstream's: the victims first, then the nomination: whoever sees a pod with a nominated node sees room being made there.
"""

import asyncio
import logging

from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.client.cache import Cache
from steersman.client.client import Client, Unreachable
from steersman.client.events import Recorder
from steersman.meta import conditions, objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object
from steersman.scheduler import pods
from steersman.scheduler.decide import Rejection

_log = logging.getLogger(__name__)


class Evictor:
    """`known` is the cache of pods."""

    def __init__(self, client: Client, clock: Clock, known: Cache, recorder: Recorder) -> None:
        self._client = client
        self._clock = clock
        self._pods = known
        self._recorder = recorder

    async def make_room(self, rejection: Rejection, pod: Object, group: Object | None = None) -> bool:
        """For the pod, or for its whole group: whether every victim was told to go (or has gone meanwhile)."""
        told_for = ("podgroup", objects.uid(group)) if group is not None else ("pod", objects.uid(pod))
        victims = [victim for key in rejection.victims if (victim := self._pods.get(key)) is not None]
        told = await asyncio.gather(*(self._evict(victim, pod, told_for) for victim in victims))
        for key in rejection.overtaken:
            other = self._pods.get(key)
            if other is not None and pods.nominated_node(other):
                await self._patch(other, {"nominatedNodeName": None}, objects.revision(pod))
        return all(told)

    async def say(self, pod: Object, rejection: Rejection, nominated: str) -> None:
        """Why it has no node, and where room is kept for it."""
        reason, message = rejection.reason, rejection.message
        status: Object = {}
        old = conditions.get(pod, "PodScheduled")
        said = (old.get("status"), old.get("reason"), old.get("message")) if old is not None else ()
        if said != ("False", reason, message):
            new = _condition(pod, "PodScheduled", "False", reason, message)
            status["conditions"] = conditions.set([old] if old else [], new, self._clock.now())
        if pods.nominated_node(pod) != nominated:
            status["nominatedNodeName"] = nominated or None
        if status:
            # If the pod is gone or made anew, or the server is away, the next attempt says it again.
            await self._patch(pod, status, objects.revision(pod))

    async def _evict(self, victim: Object, pod: Object, told_for: tuple[str, str]) -> bool:
        what, uid = told_for
        scheduler = pod["spec"].get("schedulerName") or pods.DEFAULT_SCHEDULER
        text = f"{scheduler}: preempting to accommodate a higher priority {what}"
        old = conditions.get(victim, "DisruptionTarget")
        new = _condition(victim, "DisruptionTarget", "True", "PreemptionByScheduler", text)
        told = conditions.set([old] if old else [], new, self._clock.now())
        if not await self._patch(victim, {"conditions": told}, objects.revision(pod)):
            return False
        name, namespace, node = objects.name(victim), objects.namespace(victim), victim["spec"].get("nodeName")
        try:
            await self._client.delete(
                kinds.POD, name, namespace, uid=objects.uid(victim), because=objects.revision(pod)
            )
        except (StatusError, Unreachable) as refused:
            if not _is_gone(refused):
                _log.warning("%s/%s does not make room: %s", namespace, name, refused)
                return False
        self._recorder.event(victim, "Normal", "Preempted", f"Preempted by {what} {uid} on node {node}")
        return True

    async def _patch(self, pod: Object, status: Object, because: int) -> bool:
        """Of exactly this pod; one that is gone needs no more telling."""
        patch = {"metadata": {"uid": objects.uid(pod)}, "status": status}
        name, namespace = objects.name(pod), objects.namespace(pod)
        try:
            await self._client.patch(
                kinds.POD, name, namespace, patch, type="strategic", subresource="status", because=because
            )
        except (StatusError, Unreachable) as refused:
            _log.info("%s/%s: status not written: %s", namespace, name, refused)
            return _is_gone(refused)
        return True


def _condition(pod: Object, *said: str) -> Object:
    generation = pod["metadata"].get("generation")
    return conditions.make(*said) | ({"observedGeneration": generation} if generation else {})


def _is_gone(refused: StatusError | Unreachable) -> bool:
    """Or another pod has taken its name."""
    return isinstance(refused, StatusError) and refused.code in (404, 409)
