"""The scheduler tells a pod to go only for a more important one, and says so in the pod's status before."""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.meta import conditions, objects
from steersman.simulation.history import Change, History, is_of

SCHEDULER = "system:kube-scheduler"
TOLD_SECONDS_MAX = 30.0  # between the word and the deletion


def check(history: History, change: Change) -> Iterator[str]:
    before = change.before
    if before is None or not is_of(change, kinds.POD):
        return
    if change.cause.who != SCHEDULER or change.cause.verb != "delete":
        return
    # A controller whose clock is ahead takes the word back, as of a pod that did not go.
    lately = history.versions(change.key, change.at - TOLD_SECONDS_MAX)
    if not any(
        objects.uid(one) == objects.uid(before) and conditions.is_true(one, "DisruptionTarget") for one in lately
    ):
        yield f"{change.key} was told to go without a word why"
    reasons = [seen.either for seen in history.at_revision(change.cause.because) if is_of(seen, kinds.POD)]
    for pod in reasons:
        if _priority(pod) <= _priority(before):
            yield f"{change.key} of priority {_priority(before)} had to go for {objects.key(pod)} of {_priority(pod)}"
    if not reasons:
        yield f"{change.key} had to go for nobody"


def _priority(pod: dict[str, object]) -> int:
    spec = pod["spec"]
    assert isinstance(spec, dict)
    return int(spec.get("priority") or 0)
