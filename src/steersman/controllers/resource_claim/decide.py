"""Make pods' ResourceClaims from their templates, and free claims that no pod uses any more.

Keeps true: each entry of a pod's `resourceClaims` with a template has one claim, named in the pod's status; a claim is reserved
only for pods that are there and not done; one that is reserved for nobody holds no devices.
Reads: Pod, ResourceClaimTemplate, ResourceClaims.  Writes: ResourceClaims (create, delete, status, finalizer), Pod status.
Leaves to others: allocating and reserving (scheduler), deleting claims with their pods (garbage collector). Source: KEP-4381.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from steersman.api import devices, kinds
from steersman.controllers import pods
from steersman.controllers.decision import Action, Create, Decision, Delete, Emit, Patch, Update, UpdateStatus
from steersman.meta import objects, owners
from steersman.meta.objects import Object

BASE_MAX = 57  # of a name that is to be made up, without the last dash and five characters


@dataclasses.dataclass(frozen=True, slots=True)
class SeenPod:
    """`made` are the claims that the pod owns; `templates` by name."""

    pod: Object
    made: Sequence[Object]
    templates: Mapping[str, Object]


@dataclasses.dataclass(frozen=True, slots=True)
class SeenClaim:
    """`users` are the pods, by uid, that the claim is reserved for, as far as they are there. `owner` is its pod, if it has one."""

    claim: Object
    users: Mapping[str, Object]
    owner: Object | None = None


def decide(seen: SeenPod | SeenClaim) -> Decision:
    return _decide_pod(seen) if isinstance(seen, SeenPod) else _decide_claim(seen)


def _decide_pod(seen: SeenPod) -> Decision:
    pod = seen.pod
    if not pods.is_active(pod):
        return Decision(why="the pod needs no devices any more")
    named = ((objects.annotations(one).get(devices.CLAIM_OF_POD), objects.name(one)) for one in seen.made)
    made = {name: claim for name, claim in named if name}  # not that for extended resources
    told = {
        one["name"]: one.get("resourceClaimName")
        for one in (pod.get("status") or {}).get("resourceClaimStatuses") or ()
    }
    actions: list[Action] = []
    for entry in pod["spec"].get("resourceClaims") or ():
        if entry.get("resourceClaimTemplateName") and entry["name"] not in {*made, *told}:
            actions.append(_create(seen, entry["name"], entry["resourceClaimTemplateName"]))
    if actions:
        return Decision(tuple(actions), f"{len(actions)} claims missing")
    if made and any(told.get(name) != claim for name, claim in made.items()):
        statuses = [{"name": name, "resourceClaimName": claim} for name, claim in sorted({**told, **made}.items())]
        patch = {"status": {"resourceClaimStatuses": statuses}}
        where = objects.name(pod), objects.namespace(pod)
        return Decision(
            (Patch(kinds.POD, *where, patch, subresource="status", uid=objects.uid(pod)),), "the pod is told its claims"
        )
    return Decision(why="all claims are there")


def _create(seen: SeenPod, name: str, template_name: str) -> Action:
    pod, template = seen.pod, seen.templates.get(template_name)
    if template is None:
        text = f'PodResourceClaim {name}: resource claim template "{template_name}": not found'
        return Emit(pod, "Warning", "FailedResourceClaimCreation", text)
    given = template["spec"].get("metadata") or {}
    meta: Object = {
        "generateName": generated_name(objects.name(pod), name),
        "namespace": objects.namespace(pod),
        "annotations": {**(given.get("annotations") or {}), devices.CLAIM_OF_POD: name},
        "ownerReferences": [owners.make({**pod, "apiVersion": "v1", "kind": "Pod"})],
    }
    if given.get("labels"):
        meta["labels"] = given["labels"]
    claim = {"metadata": meta, "spec": template["spec"].get("spec") or {}}
    refused = Emit(pod, "Warning", "FailedResourceClaimCreation", f"PodResourceClaim {name}: {{error}}")
    return Create(kinds.RESOURCE_CLAIM, claim, refused=refused)


def generated_name(pod: str, claim: str) -> str:
    """Cut so that something of both is left: the API server would cut at the end."""
    whole = len(pod) + len(claim) + 1
    if whole > BASE_MAX:
        pod, claim = pod[: len(pod) * BASE_MAX // whole], claim[: len(claim) * BASE_MAX // whole]
    return f"{pod}-{claim}-"


def _decide_claim(seen: SeenClaim) -> Decision:
    claim = seen.claim
    if seen.owner is not None and pods.is_finished(seen.owner) and not objects.is_terminating(claim):
        where = objects.name(claim), objects.namespace(claim), objects.uid(claim)
        return Decision((Delete(kinds.RESOURCE_CLAIM, *where),), "its pod is done")
    before = devices.reserved_for(claim)
    kept = [one for one in before if _is_used_by(one, seen.users)]
    status = dict(claim.get("status") or {})
    if kept != before or (not kept and "allocation" in status):
        after = {**status, "reservedFor": kept}
        if not kept:
            del after["reservedFor"]
            after.pop("allocation", None)
            after.pop("devices", None)
        return Decision((UpdateStatus(kinds.RESOURCE_CLAIM, {**claim, "status": after}),), "pods are done with it")
    finalizers = claim["metadata"].get("finalizers") or []
    if devices.FINALIZER in finalizers and "allocation" not in status and objects.is_terminating(claim):
        meta = {**claim["metadata"], "finalizers": [one for one in finalizers if one != devices.FINALIZER]}
        return Decision((Update(kinds.RESOURCE_CLAIM, {**claim, "metadata": meta}),), "it holds nothing and may go")
    return Decision(why="in use" if kept else "free")


def _is_used_by(consumer: Object, users: Mapping[str, Object]) -> bool:
    """Consumers of other kinds are their own controllers' business."""
    if consumer.get("resource") != "pods" or consumer.get("apiGroup"):
        return True
    pod = users.get(consumer["uid"])
    return pod is not None and not _is_done(pod)


def _is_done(pod: Object) -> bool:
    """Its containers have ended, or it never got to a node and goes."""
    phase = (pod.get("status") or {}).get("phase")
    return phase in ("Succeeded", "Failed") or (objects.is_terminating(pod) and not pods.node_name(pod))
