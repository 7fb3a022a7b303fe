"""Whether a write fits into the quotas of its namespace, and what they stand at afterwards."""

import dataclasses
import datetime
from collections.abc import Sequence

from steersman.api.quotas import lists, scopes
from steersman.api.quotas.evaluators import Evaluator
from steersman.api.quotas.lists import Amounts
from steersman.meta.objects import Object


class Exceeded(Exception):
    """Its text is upstream's reason."""


@dataclasses.dataclass(frozen=True, slots=True)
class Write:
    """`old` is None for a new object. `always` is for what has already happened and only needs to be counted."""

    new: Object
    old: Object | None = None
    always: bool = False


def charge(quotas: Sequence[Object], evaluator: Evaluator, write: Write, now: datetime.datetime) -> list[Object]:
    """The quotas whose `status.used` changes, as they are afterwards. Raises Exceeded.

    A quota that is to limit more than has been counted yet comes back as it is: writing it makes a count that has just been
    made, and has missed this object, come too late.
    """
    uncounted = [quota for quota in quotas if _is_uncounted(quota, evaluator, write.new)]
    changed = {quota["metadata"]["name"]: quota for quota in [*uncounted, *_charge(quotas, evaluator, write, now)]}
    return list(changed.values())


def _is_uncounted(quota: Object, evaluator: Evaluator, obj: Object) -> bool:
    counted = (quota.get("status") or {}).get("hard") or {}
    wanted = evaluator.covered((quota.get("spec") or {}).get("hard") or {})
    return any(name not in counted for name in wanted) and matches(quota, evaluator, obj)


def _charge(quotas: Sequence[Object], evaluator: Evaluator, write: Write, now: datetime.datetime) -> list[Object]:
    concerned = [(quota, names) for quota in quotas if (names := _concerned(quota, evaluator, write.new))]
    for quota, names in concerned:
        _check_known(quota, evaluator, names, write.new)
    if not concerned:
        return []
    used = evaluator.usage(write.new, now)
    negative = sorted(name for name, amount in used.items() if amount.nanos < 0)
    if negative:
        raise Exceeded(f"quota usage is negative for resource(s): {','.join(negative)}")
    more = lists.increase(used, evaluator.usage(write.old, now)) if write.old is not None else used
    changed = []
    for quota, _ in concerned:
        # What had not been counted by this quota before (its scope is new to it) is counted whole.
        counted = write.old is not None and _concerned(quota, evaluator, write.old)
        after = _charged(quota, more if counted else used, write)
        if after is not None:
            changed.append(after)
    return changed


def matches(quota: Object, evaluator: Evaluator, obj: Object) -> bool:
    """Whether the object is in every scope of the quota."""
    return all(evaluator.is_in(requirement, obj) for requirement in scopes.of(quota))


def usage(quota: Object, evaluator: Evaluator, found: Sequence[Object], now: datetime.datetime) -> Amounts:
    """What these objects use of what the quota limits; 0 where nothing is used."""
    names = evaluator.covered((quota.get("spec") or {}).get("hard") or ())
    counted = (evaluator.usage(obj, now) for obj in found if matches(quota, evaluator, obj))
    return {**dict.fromkeys(names, lists.ZERO), **lists.only(lists.total(counted), names)}


def _concerned(quota: Object, evaluator: Evaluator, obj: Object) -> list[str]:
    """What of the object this quota limits."""
    names = evaluator.covered((quota.get("status") or {}).get("hard") or ())
    return names if names and matches(quota, evaluator, obj) else []


def _check_known(quota: Object, evaluator: Evaluator, names: list[str], obj: Object) -> None:
    name = quota["metadata"]["name"]
    missing = evaluator.missing(names, obj)
    if missing:
        raise Exceeded(f"failed quota: {name}: {missing}")
    used = (quota.get("status") or {}).get("used") or {}
    if any(one not in used for one in names):
        raise Exceeded(f"status unknown for quota: {name}, resources: {','.join(sorted(names))}")


def _charged(quota: Object, more: Amounts, write: Write) -> Object | None:
    status = quota["status"]
    hard, used = lists.parse(status["hard"]), lists.parse(status.get("used"))
    requested = lists.only(lists.without_zeros(more), hard)
    if not requested:
        return None
    after = lists.add(used, requested)
    beyond = lists.beyond(lists.only(after, requested), hard)
    if beyond and not write.always:
        texts = [lists.shown(lists.only(one, beyond)) for one in (requested, used, hard)]
        name = quota["metadata"]["name"]
        raise Exceeded(f"exceeded quota: {name}, requested: {texts[0]}, used: {texts[1]}, limited: {texts[2]}")
    return {**quota, "status": {**status, "used": lists.format(after)}}
