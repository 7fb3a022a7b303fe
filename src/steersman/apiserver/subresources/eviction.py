"""eviction of pods: a deletion that asks the pod's disruption budget first. `judge` is pure.

Keeps true: of all evictions at one time no more than the budget allows are granted: each takes one disruption off the budget, by
compare-and-swap, before it deletes. A pod that counts as unhealthy takes none, and is only deleted in the state it was judged in.
Source: "API-initiated Eviction" and upstream's EvictionREST.
"""

import dataclasses
import datetime
from typing import cast

import orjson

from steersman.aio import clock as clocks
from steersman.api import disruptions, kinds
from steersman.apiserver import decoded, deletion, keys, negotiation, writing
from steersman.apiserver.admission import chain
from steersman.apiserver.admission.plugin import Review
from steersman.apiserver.call import Call
from steersman.meta import conditions, errors, objects, selectors, times
from steersman.meta.objects import Object
from steersman.serving import messages
from steersman.store import contract

RETRIES = 20  # upstream's EvictionsRetry: another eviction, or the controller, has written the budget meanwhile
RETRY_SECONDS = 10  # what a client is told to wait for a budget that has not been looked at yet

_TOO_MANY = "Cannot evict pod as it would violate the pod's disruption budget."
_MORE_THAN_ONE = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
_CREATED = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


@dataclasses.dataclass(frozen=True, slots=True)
class Granted:
    """`budget` as it is afterwards, None where it does not change. `as_seen`: only the pod that was looked at may go; `by` is the
    name of the budget that lets it."""

    budget: Object | None = None
    as_seen: bool = False
    by: str = ""


def judge(pod: Object, budgets: list[Object], now: datetime.datetime) -> Granted:
    """Raises StatusError 429, 403 or 500. `budgets` are all of the namespace."""
    if not _is_protected(pod):
        return Granted(as_seen=(pod.get("status") or {}).get("phase") == "Pending" and not objects.is_terminating(pod))
    found = [one for one in budgets if _covers(one, pod)]
    if len(found) > 1:
        status = errors.status(500, "InternalError", _MORE_THAN_ONE)
        del status["reason"]  # upstream gives none
        raise errors.StatusError(status)
    if not found:
        return Granted()
    [budget] = found
    status = budget.get("status") or {}
    if not conditions.is_true(pod, "Ready") and _may_lose_unhealthy(budget["spec"], status):
        return Granted(as_seen=True, by=objects.name(budget))
    return Granted(_with_one_less(pod, budget, status, now))


def _is_protected(pod: Object) -> bool:
    """What has ended, has not begun or is ending disturbs nobody when it goes."""
    phase = (pod.get("status") or {}).get("phase")
    return phase not in ("Succeeded", "Failed", "Pending") and not objects.is_terminating(pod)


def _covers(budget: Object, pod: Object) -> bool:
    try:
        selector = selectors.from_object((budget.get("spec") or {}).get("selector"))
    except selectors.SelectorError:
        return False
    return selector.matches(objects.labels(pod))


def _may_lose_unhealthy(spec: Object, status: Object) -> bool:
    if spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    desired = status.get("desiredHealthy") or 0
    return 0 < desired <= (status.get("currentHealthy") or 0)


def _with_one_less(pod: Object, budget: Object, status: Object, now: datetime.datetime) -> Object:
    name, allowed = objects.name(budget), status.get("disruptionsAllowed") or 0
    if (status.get("observedGeneration") or 0) < (budget["metadata"].get("generation") or 0):
        raise still_processed(name)
    disrupted = status.get("disruptedPods") or {}
    if allowed < 0:
        raise errors.forbidden("poddisruptionbudget", name, "pdb disruptions allowed is negative", "policy")
    if len(disrupted) > disruptions.DISRUPTED_MAX:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise errors.forbidden("poddisruptionbudget", name, why, "policy")
    if allowed == 0:
        raise _refused(_reason(name, status))
    less = {**status, "disruptionsAllowed": allowed - 1}
    if allowed == 1:
        less = disruptions.with_condition(less, now)
    less["disruptedPods"] = {**disrupted, objects.name(pod): times.format_seconds(now)}
    return {**budget, "status": less}


def _reason(name: str, status: Object) -> str:
    failure = disruptions.failure(status)
    if failure is not None:
        return f"The disruption budget {name} does not allow evicting pods currently because it failed sync: {failure}"
    desired, healthy = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
    return f"The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"


def still_processed(name: str) -> errors.StatusError:
    return _refused(f"The disruption budget {name} is still being processed by the server.", RETRY_SECONDS)


def _refused(why: str, retry_seconds: int = 0) -> errors.StatusError:
    details: Object = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    if retry_seconds:
        details["retryAfterSeconds"] = retry_seconds
    return errors.StatusError(errors.status(429, "TooManyRequests", _TOO_MANY, **details))


class Evictions:
    def __init__(
        self,
        store: contract.Store,
        objects_: decoded.DecodedObjects,
        writer: writing.Writer,
        admission: chain.Chain,
        clock: clocks.Clock,
    ) -> None:
        self._store = store
        self._objects = objects_
        self._writer = writer
        self._admission = admission
        self._clock = clock

    async def answer(self, call: Call) -> messages.Response:
        """Raises StatusError."""
        review = Review(call, "CREATE", self._writer.typed(call, _named(call, negotiation.read_object(call.request))))
        await self._admission.admit(review)
        options = _options(call, review.new)
        for _ in range(RETRIES):
            entry = await self._store.get(keys.key(call.kind, call.target.namespace, call.target.name))
            if entry is None:
                raise call.not_found()
            pod = cast(Object, orjson.loads(entry.value))
            budgets = await self._objects.list(kinds.POD_DISRUPTION_BUDGET, call.target.namespace)
            granted = judge(pod, budgets, self._clock.now())
            try:
                if granted.budget is not None and not options.dry_run:
                    await self._store.txn([_put(granted.budget)], call.cause(times.format_micros(self._clock.now())))
            except contract.Mismatch:
                continue
            try:
                return await self._delete(call, pod, options, granted)
            except errors.StatusError as refusal:
                if refusal.reason != "Conflict" or not granted.as_seen or options.resource_version:
                    raise
                if granted.by:
                    raise still_processed(granted.by) from refusal
        raise errors.timed_out("couldn't update PodDisruptionBudget due to conflicts", RETRY_SECONDS)

    async def _delete(self, call: Call, pod: Object, options: deletion.Options, granted: Granted) -> messages.Response:
        if granted.as_seen and not options.resource_version:
            options = dataclasses.replace(options, resource_version=objects.resource_version(pod))
        if not options.dry_run:
            options = await self._mark(call, options)
        await self._writer.delete_object(call, call.target.name, options, admitted=True)
        return negotiation.respond(call.form, _CREATED, 201)

    async def _mark(self, call: Call, options: deletion.Options) -> deletion.Options:
        """Tell the pod why it goes; what was asked of its version holds for the version this makes."""

        def marked(pod: Object) -> Object:
            meta = dict(pod["metadata"])
            for field, wanted in (("uid", options.uid), ("resourceVersion", options.resource_version)):
                if wanted and wanted != meta.get(field):
                    raise errors.conflict("pods", call.target.name, _differs(field, wanted, meta.get(field)))
            meta.pop("resourceVersion", None)
            status = pod.get("status") or {}
            why = conditions.make("DisruptionTarget", "True", "EvictionByEvictionAPI", "Eviction API: evicting")
            told = conditions.set(status.get("conditions") or (), why, self._clock.now())
            return {**pod, "metadata": meta, "status": {**status, "conditions": told}}

        of_status = dataclasses.replace(call, target=call.target._replace(subresource="status"))
        written = orjson.loads(await self._writer.change_object(of_status, marked, lens=None))
        if options.resource_version:
            options = dataclasses.replace(options, resource_version=objects.resource_version(written))
        return options


def _named(call: Call, eviction: Object) -> Object:
    meta = eviction.get("metadata")
    name = meta.get("name", "") if isinstance(meta, dict) else ""
    if name and name != call.target.name:
        raise errors.bad_request("name in URL does not match name in Eviction object")
    return eviction


def _options(call: Call, eviction: Object) -> deletion.Options:
    given = eviction.get("deleteOptions")
    of_call = [value for value in call.parameters.get("dryRun", ()) if value]
    if isinstance(given, dict):
        of_body = given.get("dryRun") or []
        if of_call and of_body and of_call != of_body:
            why = "Non-matching dry-run options in request and content"
            raise errors.bad_request(f"{why}: [{' '.join(of_call)}] and [{' '.join(map(str, of_body))}]")
        given = {**given, "dryRun": of_body or of_call}
    return deletion.options_of(given if isinstance(given, dict) else None, call.parameters)


def _put(budget: Object) -> contract.Put:
    kind = kinds.POD_DISRUPTION_BUDGET
    key = keys.key(kind, objects.namespace(budget), objects.name(budget))
    return contract.Put(key, keys.head(kind), keys.tail(budget), objects.revision(budget))


def _differs(field: str, wanted: str, found: object) -> str:
    word, past = ("UID", "deleted and then recreated") if field == "uid" else ("ResourceVersion", "modified")
    return (
        f"the {word} in the precondition ({wanted}) does not match the {word} in record ({found}). "
        f"The object might have been {past}"
    )
