"""The revisions of a rollout: which there are, which of them `undo` means, and the patch that brings it back.

A Deployment's revisions are its ReplicaSets, a DaemonSet's and a StatefulSet's are ControllerRevisions.
Pure. Source: kubectl's pkg/polymorphichelpers (history.go, rollback.go).
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from steersman.kubectl.rollout_progress import REVISION, RolloutError
from steersman.meta import owners
from steersman.meta.objects import Object

CHANGE_CAUSE = "kubernetes.io/change-cause"
HASH = "pod-template-hash"
# What stays the Deployment's own when a ReplicaSet's annotations come back with its template.
_STAY = (
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Revision:
    """`source` is the ReplicaSet or ControllerRevision."""

    number: int
    template: Object
    change_cause: str
    source: Object


def of_replica_sets(deployment: Object, replica_sets: Iterable[Object]) -> list[Revision]:
    """In the order of the list; those whose number cannot be read are left out."""
    found = []
    for replica_set in replica_sets:
        if not owners.is_controlled_by(replica_set, deployment):
            continue
        annotations = replica_set["metadata"].get("annotations") or {}
        number = _number(annotations.get(REVISION, "0"))
        if number is not None:
            cause = annotations.get(CHANGE_CAUSE, "")
            found.append(Revision(number, _with_cause(replica_set["spec"]["template"], cause), cause, replica_set))
    return found


def of_controller_revisions(owner: Object, revisions: Iterable[Object]) -> list[Revision]:
    found = []
    for revision in revisions:
        if owners.is_controlled_by(revision, owner):
            cause = (revision["metadata"].get("annotations") or {}).get(CHANGE_CAUSE, "")
            found.append(Revision(revision.get("revision", 0), _template(owner, revision), cause, revision))
    return found


def table(revisions: Sequence[Revision]) -> str:
    """What `rollout history` lists. The last of several with one number is shown."""
    by_number = {revision.number: revision for revision in revisions}
    if not by_number:
        return "No rollout history found."
    width = max(len("REVISION"), *(len(str(number)) for number in by_number)) + 2
    lines = [f"{'REVISION'.ljust(width)}CHANGE-CAUSE\n"]
    lines += [f"{str(n).ljust(width)}{by_number[n].change_cause or '<none>'}\n" for n in sorted(by_number)]
    return "".join(lines)


def numbered(revisions: Sequence[Revision], number: int) -> Revision:
    """Raises RolloutError."""
    for revision in reversed(revisions):
        if revision.number == number:
            return revision
    raise RolloutError("unable to find the specified revision")


def as_object(owner: Object, revision: Revision) -> Object:
    """A revision as -o prints it: a ReplicaSet, or the owner as it was."""
    if owner["kind"] == "Deployment":
        return revision.source
    return {**owner, "spec": {**owner["spec"], "template": revision.template}}


def pick(kind: str, name: str, revisions: Sequence[Revision], to_revision: int) -> Revision:
    """The revision that `undo` goes back to; 0 is the one before the newest. Raises RolloutError."""
    if to_revision < 0:
        raise _not_found(to_revision)
    if to_revision > 0:
        for revision in revisions:
            if revision.number == to_revision:
                return revision
        raise _not_found(to_revision)
    newest_first = sorted(revisions, key=lambda revision: -revision.number)
    if len(newest_first) < 2:
        if kind == "Deployment":
            raise RolloutError(f'no rollout history found for deployment "{name}"')
        raise RolloutError("no last revision to roll back to")
    return newest_first[1]


def is_current(owner: Object, revision: Revision) -> bool:
    """Whether the owner's template is this revision's already."""
    return _comparable(owner["spec"]["template"]) == _comparable(revision.template, without=CHANGE_CAUSE)


def patch(owner: Object, revision: Revision) -> Object | list[Object]:
    """What brings it back: a JSON patch for a Deployment, a strategic merge patch for the others."""
    if owner["kind"] == "Deployment":
        return _deployment_patch(owner, revision)
    kept: Object = revision.source.get("data") or {}
    return kept


def _deployment_patch(deployment: Object, revision: Revision) -> list[Object]:
    own = deployment["metadata"].get("annotations") or {}
    theirs = revision.source["metadata"].get("annotations") or {}
    annotations = {name: own[name] for name in _STAY if name in own}
    annotations |= {name: value for name, value in theirs.items() if name not in _STAY}
    template = _without_hash(revision.source["spec"]["template"])
    return [
        {"op": "replace", "path": "/spec/template", "value": template},
        {"op": "replace", "path": "/metadata/annotations", "value": annotations},
    ]


def _template(owner: Object, revision: Object) -> Object:
    """A kept patch replaces the whole template (`$patch: replace`), which is all that controllers keep."""
    kept = ((revision.get("data") or {}).get("spec") or {}).get("template") or {}
    if kept.get("$patch") == "replace":
        return {name: value for name, value in kept.items() if name != "$patch"}
    return {**owner["spec"]["template"], **kept}


def _with_cause(template: Object, cause: str) -> Object:
    if not cause:
        return template
    meta = template.get("metadata") or {}
    annotations = {**(meta.get("annotations") or {}), CHANGE_CAUSE: cause}
    return {**template, "metadata": {**meta, "annotations": annotations}}


def _comparable(template: Object, without: str = "") -> Object:
    """Without the hash label, and empty maps and lists as if they were absent."""
    template = _without_hash(template)
    if without:
        meta = template.get("metadata") or {}
        annotations = {name: text for name, text in (meta.get("annotations") or {}).items() if name != without}
        template = {**template, "metadata": {**meta, "annotations": annotations}}
    found: Object = _without_empty(template)
    return found


def _without_hash(template: Object) -> Object:
    meta = template.get("metadata") or {}
    labels = {name: value for name, value in (meta.get("labels") or {}).items() if name != HASH}
    return {**template, "metadata": {**meta, "labels": labels}}


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _without_empty(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner not in (None, {}, [])}
    return [_without_empty(inner) for inner in value] if isinstance(value, list) else value


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _not_found(revision: int) -> RolloutError:
    return RolloutError(f"unable to find specified revision {revision} in history")
