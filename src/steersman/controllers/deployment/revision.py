"""The revision history: annotations on the Deployment and its ReplicaSets that `kubectl rollout` reads.

`deployment.kubernetes.io/revision` counts up with each template change; `revision-history` keeps the numbers a
ReplicaSet had before a rollback gave it a new one; `desired-replicas` and `max-replicas` are the Deployment's size when
the ReplicaSet was last scaled: a different size now means the Deployment itself was scaled.
"""

from collections.abc import Iterable

from steersman.meta import objects
from steersman.meta.objects import Object

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"

HISTORY_CHARACTERS_MAX = 2000  # upstream's maxRevHistoryLengthInChars

# Not copied from the Deployment to its ReplicaSets.
_OWN = frozenset(
    (
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        HISTORY,
        DESIRED,
        MAXIMUM,
        "deprecated.deployment.rollback.to",
    )
)


def of(obj: Object) -> int:
    """0 where there is none."""
    return _number(objects.annotations(obj).get(REVISION, ""))


def next_after(old: Iterable[Object]) -> int:
    return max((of(one) for one in old), default=0) + 1


def desired(replica_set: Object) -> int | None:
    text = objects.annotations(replica_set).get(DESIRED, "")
    return int(text) if text.isdecimal() else None


def maximum(replica_set: Object) -> int | None:
    text = objects.annotations(replica_set).get(MAXIMUM, "")
    return int(text) if text.isdecimal() else None


def annotations(deployment: Object, replica_set: Object, revision: int) -> dict[str, str]:
    """Those the newest ReplicaSet is to have: the Deployment's own, and a revision that never goes down."""
    before = objects.annotations(replica_set)
    after = dict(before)
    after |= {key: value for key, value in objects.annotations(deployment).items() if key not in _OWN}
    had = before.get(REVISION, "")
    if _number(had) < revision:
        after[REVISION] = str(revision)
        if had:
            after[HISTORY] = _appended(before.get(HISTORY, ""), had)
    return after


def sizes(desired_replicas: int, max_replicas: int) -> dict[str, str]:
    return {DESIRED: str(desired_replicas), MAXIMUM: str(max_replicas)}


def _appended(history: str, revision: str) -> str:
    parts = [*history.split(","), revision] if history else [revision]
    while len(parts) > 1 and len(",".join(parts)) > HISTORY_CHARACTERS_MAX:
        parts = parts[1:]
    return ",".join(parts)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
