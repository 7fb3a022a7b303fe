"""The claims of a StatefulSet's pods: one per template and ordinal, and who owns them by the retention policy. Pure.

Source: "persistentVolumeClaimRetentionPolicy", KEP-1847. Without an owner a claim outlives everything; owned by its pod it
goes when the pod is scaled away, owned by the set when the set is deleted.
"""

from collections.abc import Iterable, Mapping

from steersman.api import kinds
from steersman.controllers import decision
from steersman.controllers.decision import Create, Emit, Patch
from steersman.controllers.statefulset import identity
from steersman.meta import objects, owners
from steersman.meta.objects import Object

Claims = Mapping[str, Object]


def missing(stateful_set: Object, number: int, claims: Claims) -> tuple[Create, ...]:
    """Claims have to be there before the pod that uses them."""
    found = (one for one in _wanted(stateful_set, number) if objects.name(one) not in claims)
    return tuple(_create(stateful_set, claim, number) for claim in found)


def unusable(stateful_set: Object, number: int, claims: Claims) -> str:
    """Why a new pod has to wait: one of its claims is going. Empty when it need not."""
    for name in identity.claims(stateful_set, number).values():
        claim = claims.get(name)
        if claim is not None and objects.is_terminating(claim):
            return f"pvc {name} is being deleted"
        if claim is not None and _owner(claim, "Pod", f"{objects.name(stateful_set)}-{number}"):
            return f"pvc {name} belongs to an earlier pod, and goes with it"
    return ""


def owner_changes(stateful_set: Object, pods: Iterable[tuple[Object, bool]], claims: Claims) -> tuple[Patch, ...]:
    """`pods`: each with whether it is scaled away."""
    policy = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    with_set, with_pod = (policy.get(when) == "Delete" for when in ("whenDeleted", "whenScaled"))
    changes = []
    for pod, is_condemned in pods:
        owner = pod if with_pod and is_condemned else stateful_set if with_set else None
        for name in identity.claims(stateful_set, identity.ordinal(stateful_set, pod) or 0).values():
            claim = claims.get(name)
            if claim is not None and not objects.is_terminating(claim):
                changes += _owned(claim, owner, stateful_set, pod)
    return tuple(changes)


def _owned(claim: Object, owner: Object | None, stateful_set: Object, pod: Object) -> list[Patch]:
    """Of the references only those to the set and to its pod are ours; where somebody else controls the claim, nothing is."""
    present = owners.of(claim)
    ours = {("StatefulSet", objects.name(stateful_set)), ("Pod", objects.name(pod))}
    others = [one for one in present if (one.get("kind"), one.get("name")) not in ours]
    if any(one.get("controller") for one in others):
        return []
    kind = {"apiVersion": "v1", "kind": "Pod"} if owner is pod else {}
    wanted = [*others, owners.make({**owner, **kind})] if owner is not None else others
    if wanted == present:
        return []
    return [decision.patch(kinds.PERSISTENT_VOLUME_CLAIM, claim, {"metadata": {"ownerReferences": wanted or None}})]


def _owner(claim: Object, kind: str, name: str) -> Object | None:
    return next((one for one in owners.of(claim) if (one.get("kind"), one.get("name")) == (kind, name)), None)


def _wanted(stateful_set: Object, number: int) -> list[Object]:
    """Labelled as the set selects its pods, so that people find them."""
    templates = {one["metadata"].get("name", ""): one for one in stateful_set["spec"].get("volumeClaimTemplates") or ()}
    found = []
    for template, name in identity.claims(stateful_set, number).items():
        given = templates[template].get("metadata") or {}
        labels = {
            **(given.get("labels") or {}),
            **((stateful_set["spec"].get("selector") or {}).get("matchLabels") or {}),
        }
        meta = {"name": name, "namespace": objects.namespace(stateful_set), "labels": labels}
        if given.get("annotations"):
            meta["annotations"] = given["annotations"]
        spec = templates[template].get("spec") or {}
        found.append({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec})
    return found


def _create(stateful_set: Object, claim: Object, number: int) -> Create:
    name, of, pod = objects.name(claim), objects.name(stateful_set), f"{objects.name(stateful_set)}-{number}"
    done = f"create Claim {name} Pod {pod} in StatefulSet {of} success"
    refused = f"create Claim {name} for Pod {pod} in StatefulSet {of} failed error: {{error}}"
    return Create(
        kinds.PERSISTENT_VOLUME_CLAIM,
        claim,
        Emit(stateful_set, "Normal", "SuccessfulCreate", done),
        Emit(stateful_set, "Warning", "FailedCreate", refused),
    )
