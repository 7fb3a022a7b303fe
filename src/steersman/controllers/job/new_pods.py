"""The pods a Job makes, and which of its pods are too many."""

from collections.abc import Sequence
from typing import Any

from steersman.api import kinds
from steersman.controllers.decision import Create, Emit
from steersman.controllers.job import policies
from steersman.controllers.job.view import (
    FAILURES_OF_INDEX,
    FINALIZER,
    IGNORED_OF_INDEX,
    INDEX,
    View,
    failures_of_index,
    ignored_of_index,
)
from steersman.controllers.replicaset import ranking
from steersman.meta import indexes, names, objects, owners
from steersman.meta.objects import Object

_INDEX_VARIABLE = "JOB_COMPLETION_INDEX"


def create(view: View, index: int | None) -> Create:
    job = view.job
    return Create(
        kinds.POD,
        _pod(view, index),
        done=Emit(job, "Normal", "SuccessfulCreate", "Created pod: {name}"),
        refused=Emit(job, "Warning", "FailedCreate", "Error creating: {error}"),
    )


def pending_indexes(view: View, count: int) -> list[int]:
    """The first indexes that neither have ended nor have a pod."""
    taken = indexes.union(view.succeeded_indexes, view.failed_indexes)
    busy = [*view.active, *(view.terminating if view.replaces_failed_only else ())]
    taken = indexes.union(taken, indexes.of(index for pod in busy if (index := view.index_of(pod)) is not None))
    found: list[int] = []
    candidate = 0
    for first, last in (*taken, (view.completions or 0, 0)):
        found += range(candidate, min(first, candidate + count - len(found)))
        candidate = max(candidate, last + 1)
    return found


def surplus(view: View, count: int) -> list[Object]:
    """At least `count` active pods to delete: those with an index that is not wanted or taken twice, then the least ready."""
    doomed: list[Object] = []
    left = view.active
    if view.is_indexed:
        by_index: dict[int | None, list[Object]] = {}
        for pod in left:
            by_index.setdefault(view.index_of(pod), []).append(pod)
        doomed = by_index.pop(None, [])
        left = []
        for same in by_index.values():
            extra = ranking.pick(same, len(same) - 1, {}, view.now) if len(same) > 1 else []
            doomed += extra
            left += [pod for pod in same if not any(pod is one for one in extra)]
    missing = count - len(doomed)
    return [*doomed, *ranking.pick(left, missing, {}, view.now)] if missing > 0 else doomed


def _pod(view: View, index: int | None) -> Object:
    job, template = view.job, view.spec.get("template") or {}
    given = template.get("metadata") or {}
    finalizers = list(given.get("finalizers") or ())
    if FINALIZER not in finalizers:
        finalizers.append(FINALIZER)
    meta: Object = {
        "generateName": f"{objects.name(job)}-",
        "namespace": objects.namespace(job),
        "ownerReferences": [owners.make(job)],
        "finalizers": finalizers,
    }
    meta |= {field: given[field] for field in ("labels", "annotations") if given.get(field)}
    spec = template.get("spec") or {}
    if index is not None:
        _number(view, index, meta)
        spec = _with_variable({**spec, "hostname": f"{objects.name(job)}-{index}"})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _number(view: View, index: int, meta: Object) -> None:
    name, suffix = objects.name(view.job), f"-{index}-"
    meta["generateName"] = name[: names.GENERATED_BASE_MAX - len(suffix)] + suffix
    meta["labels"] = {**(meta.get("labels") or {}), INDEX: str(index)}
    annotations = meta["annotations"] = {**(meta.get("annotations") or {}), INDEX: str(index)}
    if view.limit_per_index is None:
        return
    failures, ignored = _failures_so_far(view, index)
    annotations[FAILURES_OF_INDEX] = str(failures)
    if ignored:
        annotations[IGNORED_OF_INDEX] = str(ignored)


def _failures_so_far(view: View, index: int) -> tuple[int, int]:
    replaced = view.waiting_of_index.get(index)
    if replaced is None:
        return 0, 0
    failures, ignored = failures_of_index(replaced), ignored_of_index(replaced)
    if policies.judge(view.spec.get("podFailurePolicy"), replaced).counts:
        return failures + 1, ignored
    return failures, ignored + 1


def _with_variable(spec: Object) -> Object:
    """Every container is told its index."""
    source = {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}
    variable = {"name": _INDEX_VARIABLE, "valueFrom": source}
    for field in ("initContainers", "containers"):
        if spec.get(field):
            spec[field] = [_with_one(container, variable) for container in spec[field]]
    return spec


def _with_one(container: Object, variable: Object) -> Object:
    present: Sequence[Any] = container.get("env") or ()
    if any(one.get("name") == variable["name"] for one in present):
        return container
    return {**container, "env": [*present, variable]}
