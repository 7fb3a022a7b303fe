"""Deployments, replica sets, replication controllers, stateful sets and daemon sets.

Read beside the object: its pods (`pods_of`) or, for a Deployment, its replica sets.
"""

from collections.abc import Sequence

from steersman.kubectl.describe import events, pod_templates
from steersman.kubectl.describe.writing import (
    NONE,
    Description,
    annotations,
    conditions,
    controlled_by,
    created,
    labels,
    metadata,
    name,
    pairs_text,
    quantity,
    selector_text,
    spec,
    status,
)
from steersman.kubectl.printers import go_values
from steersman.meta import owners, selectors
from steersman.meta.objects import Object

_PHASES = ("Running", "Pending", "Succeeded", "Failed")


def deployment(d: Description, obj: Object) -> None:
    name(d, obj)
    created(d, obj)
    _labels_and_annotations(d, obj)
    d.row(0, "Selector:", selectors.from_object(spec(obj).get("selector")))
    seen = status(obj)
    counts = " | ".join(
        f"{count} {word}"
        for count, word in (
            (spec(obj).get("replicas", 0), "desired"),
            (seen.get("updatedReplicas", 0), "updated"),
            (seen.get("replicas", 0), "total"),
            (seen.get("availableReplicas", 0), "available"),
            (seen.get("unavailableReplicas", 0), "unavailable"),
        )
    )
    d.row(0, "Replicas:", counts)
    strategy = spec(obj).get("strategy") or {}
    d.row(0, "StrategyType:", strategy.get("type", ""))
    d.row(0, "MinReadySeconds:", spec(obj).get("minReadySeconds", 0))
    rolling = strategy.get("rollingUpdate")
    if rolling is not None:
        unavailable, surge = rolling.get("maxUnavailable", "<nil>"), rolling.get("maxSurge", "<nil>")
        d.row(0, "RollingUpdateStrategy:", f"{unavailable} max unavailable, {surge} max surge")
    pod_templates.write(d, spec(obj).get("template"))
    conditions(d, obj)
    old, new = d.seen.others.get("old") or [], d.seen.others.get("new") or []
    if old or new:
        d.row(0, "OldReplicaSets:", _replica_sets(old))
        d.row(0, "NewReplicaSet:", _replica_sets(new))
    events.write(d)


def _replica_sets(found: Sequence[Object]) -> str:
    return (
        ", ".join(
            f"{metadata(one).get('name', '')} ({status(one).get('replicas', 0)}/{spec(one).get('replicas', 0)} replicas created)"
            for one in found
        )
        or NONE
    )


def replica_set(d: Description, obj: Object) -> None:
    name(d, obj)
    d.row(0, "Selector:", selector_text(spec(obj).get("selector")))
    _labels_and_annotations(d, obj)
    controlled_by(d, obj)
    _replicas(d, obj)
    d.row(0, "Pods Status:", f"error in fetching pods: {d.seen.pods_error}" if d.seen.pods_error else _phases(d, obj))
    pod_templates.write(d, spec(obj).get("template"))
    conditions(d, obj)
    events.write(d)


def replication_controller(d: Description, obj: Object) -> None:
    name(d, obj)
    d.row(0, "Selector:", pairs_text(spec(obj).get("selector")))
    _labels_and_annotations(d, obj)
    _replicas(d, obj)
    d.row(0, "Pods Status:", _phases(d, obj))
    pod_templates.write(d, spec(obj).get("template"))
    conditions(d, obj)
    events.write(d)


def stateful_set(d: Description, obj: Object) -> None:
    name(d, obj)
    created(d, obj)
    d.row(0, "Selector:", selectors.from_object(spec(obj).get("selector")))
    _labels_and_annotations(d, obj)
    d.row(0, "Replicas:", f"{spec(obj).get('replicas', 0)} desired | {status(obj).get('replicas', 0)} total")
    strategy = spec(obj).get("updateStrategy") or {}
    d.row(0, "Update Strategy:", strategy.get("type", ""))
    rolling = strategy.get("rollingUpdate") or {}
    if rolling.get("partition") is not None:
        d.row(1, "Partition:", rolling["partition"])
        if rolling.get("maxUnavailable") is not None:
            d.row(1, "MaxUnavailable:", rolling["maxUnavailable"])
    d.row(0, "Pods Status:", _phases(d, obj))
    pod_templates.write(d, spec(obj).get("template"))
    _claims(d, spec(obj).get("volumeClaimTemplates"))
    events.write(d)


def _claims(d: Description, found: Sequence[Object] | None) -> None:
    from steersman.kubectl.describe import claims

    if not found:
        d.row(0, "Volume Claims:", NONE)
        return
    d.write(0, "Volume Claims:\n")
    for claim in found:
        d.row(1, "Name:", metadata(claim).get("name", ""))
        d.row(1, "StorageClass:", claims.storage_class(claim))
        labels(d, "Labels", metadata(claim).get("labels"), indent="  ")
        labels(d, "Annotations", metadata(claim).get("annotations"), indent="  ")
        asked = ((spec(claim).get("resources") or {}).get("requests") or {}).get("storage")
        d.row(1, "Capacity:", "<default>" if asked is None else quantity(asked))
        d.row(1, "Access Modes:", go_values.show(spec(claim).get("accessModes") or []))


def daemon_set(d: Description, obj: Object) -> None:
    name(d, obj)
    d.row(0, "Selector:", selectors.from_object(spec(obj).get("selector")))
    template = spec(obj).get("template") or {}
    d.row(0, "Node-Selector:", pairs_text(spec(template).get("nodeSelector")))
    _labels_and_annotations(d, obj)
    for title, key in (
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ):
        d.write(0, f"{title}: {status(obj).get(key, 0)}\n")
    d.row(0, "Pods Status:", _phases(d, obj))
    pod_templates.write(d, template)
    events.write(d)


def _labels_and_annotations(d: Description, obj: Object) -> None:
    labels(d, "Labels", metadata(obj).get("labels"))
    annotations(d, "Annotations", metadata(obj).get("annotations"))


def _replicas(d: Description, obj: Object) -> None:
    d.row(0, "Replicas:", f"{status(obj).get('replicas', 0)} current / {spec(obj).get('replicas', 0)} desired")


def _phases(d: Description, obj: Object) -> str:
    """How many of the object's own pods are in each phase."""
    mine = [status(pod).get("phase") for pod in d.seen.pods if owners.is_controlled_by(pod, obj)]
    running, pending, succeeded, failed = (mine.count(phase) for phase in _PHASES)
    return f"{running} Running / {pending} Waiting / {succeeded} Succeeded / {failed} Failed"
