"""How far a rollout is, in kubectl's words.

    progress(obj, revision) → Progress(text, done)

Pure. Source: kubectl's pkg/polymorphichelpers/rollout_status.go.
"""

import dataclasses

from steersman.kubectl.problems import CommandError
from steersman.meta import conditions
from steersman.meta.objects import Object

REVISION = "deployment.kubernetes.io/revision"


class RolloutError(CommandError):
    """The rollout has failed, or has none; the text is upstream's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    text: str
    done: bool


def check_kind(group: str, kind: str) -> None:
    """Raises RolloutError for kinds without a rollout."""
    if (group, kind) not in _PROGRESS:
        raise RolloutError(f"no status viewer has been implemented for {group_kind(group, kind)}")


def group_kind(group: str, kind: str) -> str:
    return f"{kind}.{group}" if group else kind


def progress(obj: Object, revision: int = 0) -> Progress:
    """Raises RolloutError."""
    group = obj["apiVersion"].rpartition("/")[0]
    return _PROGRESS[group, obj["kind"]](obj, revision)


def _deployment(obj: Object, revision: int) -> Progress:
    name, status, wanted = obj["metadata"]["name"], obj.get("status") or {}, (obj.get("spec") or {}).get("replicas")
    if revision > 0:
        _check_revision(obj, revision)
    if not _is_observed(obj):
        return _waiting("Waiting for deployment spec update to be observed...\n")
    progressing = conditions.get(obj, "Progressing")
    if progressing is not None and progressing.get("reason") == "ProgressDeadlineExceeded":
        raise RolloutError(f'deployment "{name}" exceeded its progress deadline')
    updated, replicas = status.get("updatedReplicas", 0), status.get("replicas", 0)
    available = status.get("availableReplicas", 0)
    begin = f'Waiting for deployment "{name}" rollout to finish:'
    if wanted is not None and updated < wanted:
        return _waiting(f"{begin} {updated} out of {wanted} new replicas have been updated...\n")
    if replicas > updated:
        return _waiting(f"{begin} {replicas - updated} old replicas are pending termination...\n")
    if available < updated:
        return _waiting(f"{begin} {available} of {updated} updated replicas are available...\n")
    return Progress(f'deployment "{name}" successfully rolled out\n', done=True)


def _check_revision(obj: Object, revision: int) -> None:
    text = (obj["metadata"].get("annotations") or {}).get(REVISION, "0")
    try:
        running = int(text)
    except ValueError:
        name = obj["metadata"]["name"]
        why = f'strconv.ParseInt: parsing "{text}": invalid syntax'
        raise RolloutError(f'cannot get the revision of deployment "{name}": {why}') from None
    if running != revision:
        raise RolloutError(f"desired revision ({revision}) is different from the running revision ({running})")


def _daemon_set(obj: Object, revision: int) -> Progress:
    name, status = obj["metadata"]["name"], obj.get("status") or {}
    _check_strategy(obj)
    if not _is_observed(obj):
        return _waiting("Waiting for daemon set spec update to be observed...\n")
    updated, wanted = status.get("updatedNumberScheduled", 0), status.get("desiredNumberScheduled", 0)
    available = status.get("numberAvailable", 0)
    begin = f'Waiting for daemon set "{name}" rollout to finish:'
    if updated < wanted:
        return _waiting(f"{begin} {updated} out of {wanted} new pods have been updated...\n")
    if available < wanted:
        return _waiting(f"{begin} {available} of {wanted} updated pods are available...\n")
    return Progress(f'daemon set "{name}" successfully rolled out\n', done=True)


def _stateful_set(obj: Object, revision: int) -> Progress:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    _check_strategy(obj)
    if not status.get("observedGeneration") or not _is_observed(obj):
        return _waiting("Waiting for statefulset spec update to be observed...\n")
    wanted, ready, updated = spec.get("replicas"), status.get("readyReplicas", 0), status.get("updatedReplicas", 0)
    if wanted is not None and ready < wanted:
        return _waiting(f"Waiting for {wanted - ready} pods to be ready...\n")
    rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate")
    if rolling is not None:
        partition = rolling.get("partition")
        if wanted is not None and partition is not None and updated < wanted - partition:
            new = f"{updated} out of {wanted - partition} new pods have been updated...\n"
            return _waiting(f"Waiting for partitioned roll out to finish: {new}")
        return Progress(f"partitioned roll out complete: {updated} new pods have been updated...\n", done=True)
    current, update = status.get("currentRevision", ""), status.get("updateRevision", "")
    if update != current:
        return _waiting(f"waiting for statefulset rolling update to complete {updated} pods at revision {update}...\n")
    pods = status.get("currentReplicas", 0)
    return Progress(f"statefulset rolling update complete {pods} pods at revision {current}...\n", done=True)


_PROGRESS = {
    ("apps", "Deployment"): _deployment,
    ("extensions", "Deployment"): _deployment,
    ("apps", "DaemonSet"): _daemon_set,
    ("extensions", "DaemonSet"): _daemon_set,
    ("apps", "StatefulSet"): _stateful_set,
}


def _check_strategy(obj: Object) -> None:
    strategy = ((obj.get("spec") or {}).get("updateStrategy") or {}).get("type", "")
    if strategy != "RollingUpdate":
        raise RolloutError("rollout status is only available for RollingUpdate strategy type")


def _is_observed(obj: Object) -> bool:
    observed = (obj.get("status") or {}).get("observedGeneration", 0)
    return bool(obj["metadata"].get("generation", 0) <= observed)


def _waiting(text: str) -> Progress:
    return Progress(text, done=False)
