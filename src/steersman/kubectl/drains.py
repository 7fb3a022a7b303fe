"""Which pods a drain takes from a node, which it leaves, and which stop it.

    classify(pods, wanted) → Found

Pure. Every filter says `Verdict`; the first that keeps a pod ends its row, and the last word of a row is what is told.
Leaves to others: asking for the DaemonSets (`wanted.daemon_sets`), evicting, waiting (`drain`).
Source: kubectl's pkg/drain (filters and texts).
"""

import dataclasses
import datetime
from collections.abc import Callable, Mapping, Sequence

from steersman.meta import owners, times
from steersman.meta.objects import Object

DAEMON_SET_STOPS = "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"
DAEMON_SET_WARNS = "ignoring DaemonSet-managed Pods"
LOCAL_STOPS = "Pods with local storage (use --delete-emptydir-data to override)"
LOCAL_WARNS = "deleting Pods with local storage"
UNMANAGED_STOPS = "cannot delete Pods that declare no controller (use --force to override)"
UNMANAGED_WARNS = "deleting Pods that declare no controller"
MIRROR = "kubernetes.io/config.mirror"


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """The flags, and what was seen beside the pods. `daemon_sets`: namespace/name → "" when it is there, or why it cannot be
    read; `missing` are those of them that are gone."""

    now: datetime.datetime
    force: bool = False
    ignore_daemon_sets: bool = False
    delete_local_data: bool = False
    skip_deleted_after_seconds: int = 0
    daemon_sets: Mapping[str, str] = dataclasses.field(default_factory=dict)
    missing: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a pod goes, and what is said about it: a warning, or what stops the drain."""

    goes: bool = True
    warning: str = ""
    error: str = ""


GOES, STAYS = Verdict(), Verdict(goes=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    pods: tuple[Object, ...]
    warning: str
    errors: tuple[str, ...]


def classify(pods: Sequence[Object], wanted: Wanted) -> Found:
    going = []
    warnings: dict[str, list[str]] = {}
    errors: dict[str, list[str]] = {}
    for pod in pods:
        verdict = judge(pod, wanted)
        if verdict.goes:
            going.append(pod)
        if verdict.warning:
            warnings.setdefault(verdict.warning, []).append(_key(pod))
        if verdict.error:
            errors.setdefault(verdict.error, []).append(_key(pod))
    return Found(
        tuple(going),
        "; ".join(f"{text}: {', '.join(names)}" for text, names in warnings.items()),
        tuple(_error(text, names) for text, names in errors.items()),
    )


def judge(pod: Object, wanted: Wanted) -> Verdict:
    verdict = GOES
    for check in _FILTERS:
        verdict = check(pod, wanted)
        if not verdict.goes:
            break
    return verdict


def daemon_set_of(pod: Object) -> str:
    """namespace/name of the DaemonSet that looks after a pod which has not finished; "" without."""
    owner = owners.controller_of(pod)
    if owner is None or owner["kind"] != "DaemonSet" or _has_finished(pod):
        return ""
    return f"{pod['metadata']['namespace']}/{owner['name']}"


def is_skipped(pod: Object, after_seconds: int, now: datetime.datetime) -> bool:
    """Being deleted for longer than a drain waits for."""
    deleted = pod["metadata"].get("deletionTimestamp")
    return bool(after_seconds > 0 and deleted and int(times.seconds_since(deleted, now)) > after_seconds)


def _skip_deleted(pod: Object, wanted: Wanted) -> Verdict:
    return STAYS if is_skipped(pod, wanted.skip_deleted_after_seconds, wanted.now) else GOES


def _daemon_set(pod: Object, wanted: Wanted) -> Verdict:
    """Such pods stay whatever the flags say: their controller would make them again at once. Only orphans go, by force."""
    owner = daemon_set_of(pod)
    if not owner:
        return GOES
    if trouble := wanted.daemon_sets.get(owner, ""):
        if owner in wanted.missing and wanted.force:
            return Verdict(warning=trouble)
        return Verdict(goes=False, error=trouble)
    if not wanted.ignore_daemon_sets:
        return Verdict(goes=False, error=DAEMON_SET_STOPS)
    return Verdict(goes=False, warning=DAEMON_SET_WARNS)


def _mirror(pod: Object, wanted: Wanted) -> Verdict:
    return STAYS if MIRROR in (pod["metadata"].get("annotations") or {}) else GOES


def _local_storage(pod: Object, wanted: Wanted) -> Verdict:
    has_local = any(volume.get("emptyDir") is not None for volume in pod["spec"].get("volumes") or [])
    if not has_local or _has_finished(pod):
        return GOES
    if not wanted.delete_local_data:
        return Verdict(goes=False, error=LOCAL_STOPS)
    return Verdict(warning=LOCAL_WARNS)


def _unmanaged(pod: Object, wanted: Wanted) -> Verdict:
    if _has_finished(pod) or owners.controller_of(pod) is not None:
        return GOES
    if wanted.force:
        return Verdict(warning=UNMANAGED_WARNS)
    return Verdict(goes=False, error=UNMANAGED_STOPS)


_FILTERS: tuple[Callable[[Object, Wanted], Verdict], ...] = (
    _skip_deleted,
    _daemon_set,
    _mirror,
    _local_storage,
    _unmanaged,
)


def _has_finished(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _error(text: str, names: list[str]) -> str:
    return f"cannot delete {text}: {', '.join(names)}"  # also where the text begins so itself: kubectl's words


def _key(pod: Object) -> str:
    return f"{pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}"
