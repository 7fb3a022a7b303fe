"""Say in the status of a DeviceTaintRule how many pods still have to go because of it, or would have to.

Reads: DeviceTaintRule, the pods and devices it is about.  Writes: DeviceTaintRule status (condition EvictionInProgress).
The condition is not written more often than every ten seconds; with the effect None once for each change of the rule.
"""

import dataclasses
import datetime

from steersman.api import kinds
from steersman.controllers.decision import Decision, UpdateStatus
from steersman.meta import conditions, times
from steersman.meta.objects import Object

CONDITION = "EvictionInProgress"
PERIOD_SECONDS = 10.0
_ONCE = "This information will not be updated again. Recreate the DeviceTaintRule to trigger an update."


@dataclasses.dataclass(frozen=True, slots=True)
class SeenRule:
    """Numbers of `pending` pods (that would be evicted if the effect was NoExecute) and their `namespaces`, of pods `evicted` so
    far, and of `published` and `allocated` devices that the rule selects."""

    rule: Object
    now: datetime.datetime
    pending: int = 0
    namespaces: int = 0
    evicted: int = 0
    published: int = 0
    allocated: int = 0


def decide(seen: SeenRule) -> Decision:
    rule = seen.rule
    effect, generation = rule["spec"]["taint"]["effect"], rule["metadata"].get("generation", 0)
    old = conditions.get(rule, CONDITION)
    if old is not None and old.get("observedGeneration") == generation:
        if effect == "None":
            return Decision(why="told once")
        since = (seen.now - times.parse(old["lastTransitionTime"])).total_seconds()
        if since < PERIOD_SECONDS:
            return Decision(why="told lately", again_after_seconds=PERIOD_SECONDS - since)
    status, reason, message = _said(seen, effect)
    if seen.evicted:
        message = f"{message} {_count(seen.evicted, 'pod')} evicted since starting the controller.".strip()
    new = {"type": CONDITION, "status": status, "reason": reason, "message": message, "observedGeneration": generation}
    if old is not None and all(old.get(field) == value for field, value in new.items()):
        return Decision(why="told")
    new["lastTransitionTime"] = times.format_seconds(seen.now)
    found = conditions.set((rule.get("status") or {}).get("conditions") or (), new, seen.now)
    # Unlike elsewhere the time says when it was last told, as upstream has it.
    found = [
        {**one, "lastTransitionTime": new["lastTransitionTime"]} if one["type"] == CONDITION else one for one in found
    ]
    status_now = {**(rule.get("status") or {}), "conditions": found}
    return Decision((UpdateStatus(kinds.DEVICE_TAINT_RULE, {**rule, "status": status_now}),), "told anew")


def _said(seen: SeenRule, effect: str) -> tuple[str, str, str]:
    if effect == "None":
        would = f"{_count(seen.pending, 'pod')} would be evicted in {_namespaces(seen.namespaces)} if the effect was NoExecute."
        published = f"{_count(seen.published, 'published device')} selected."
        allocated = f"{_count(seen.allocated, 'allocated device')} selected."
        return "False", "NoEffect", f"{published} {allocated} {would} {_ONCE}"
    if effect != "NoExecute":
        return "False", "OtherEffect", "Eviction only happens for the NoExecute effect."
    if not seen.pending:
        return "False", "Completed" if seen.evicted else "NotStarted", ""
    need = "needs" if seen.pending == 1 else "need"
    return (
        "True",
        "PodsPendingEviction",
        f"{_count(seen.pending, 'pod')} {need} to be evicted in {_namespaces(seen.namespaces)}.",
    )


def _count(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"


def _namespaces(number: int) -> str:
    return "1 namespace" if number == 1 else f"{number} different namespaces"
