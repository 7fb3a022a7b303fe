"""ResourceQuota: a namespace never holds more than its quotas allow.

Reads: ResourceQuotas.  Writes: their `status.used`, in the same transaction as the object that uses it.
Leaves to others: first counts, and giving back what is used no more (the quota controller).

Keeps true: `used` of revision R counts every object made up to R. A write that would use more names the revisions of the quotas
it was checked against, so of two that would both just fit one is refused; a write that fails has used nothing. Upstream writes
the quota first, so that a failed write stays counted until the next recount.
"""

import asyncio
import datetime
import weakref

from steersman.aio import clock as clocks
from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.api.quotas import charge, evaluators
from steersman.api.quotas.evaluators import Evaluator
from steersman.apiserver import decoded, keys
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.meta import errors, objects
from steersman.meta.objects import Object
from steersman.store import contract

_TURN = "ResourceQuota"


class ResourceQuotas(Plugin):
    name = "ResourceQuota"

    def __init__(self, quotas: decoded.DecodedObjects, clock: clocks.Clock) -> None:
        self._quotas = quotas
        self._clock = clock
        # Writes that a namespace's quotas count go one after the other: all but one would be refused and tried again.
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        evaluator = evaluators.of(kind.group, kind.plural) if kind.namespaced else None
        if evaluator is None:
            return False
        return not subresource if operation == "CREATE" else operation == "UPDATE" and subresource in evaluator.updates

    async def reserve(self, review: Review) -> None:
        """Raises StatusError 403."""
        namespace = review.call.target.namespace
        if not await self._quotas.list(kinds.RESOURCE_QUOTA, namespace):
            return
        if not review.dry_run:
            await self._take_turn(review, namespace)
        evaluator = evaluators.of(review.call.kind.group, review.call.kind.plural)
        assert evaluator is not None
        quotas = await self._quotas.list(kinds.RESOURCE_QUOTA, namespace)
        changed = _charged(quotas, evaluator, review, self._clock.now())
        if not review.dry_run:
            review.also += [_put(quota) for quota in changed]

    async def _take_turn(self, review: Review, namespace: str) -> None:
        if _TURN in review.memory:
            return
        review.memory[_TURN] = True
        turn = self._turns.get(namespace)
        if turn is None:
            turn = self._turns[namespace] = asyncio.Lock()
        await turn.acquire()
        review.holds.callback(turn.release)


def _charged(quotas: list[Object], evaluator: Evaluator, review: Review, now: datetime.datetime) -> list[Object]:
    write = charge.Write(review.new, review.old, always=review.call.target.subresource == "status")
    try:
        return charge.charge(quotas, evaluator, write, now)
    except charge.Exceeded as why:
        kind = review.call.kind
        raise errors.forbidden(kind.plural, review.name, str(why), kind.group) from why


def _put(quota: Object) -> contract.Put:
    kind = kinds.RESOURCE_QUOTA
    key = keys.key(kind, objects.namespace(quota), objects.name(quota))
    return contract.Put(key, keys.head(kind), keys.tail(quota), objects.revision(quota))
