"""Make the claims of generic ephemeral volumes: one for each, named POD-VOLUME, owned by the pod.

Reads: Pod, the claims of its name.  Writes: PersistentVolumeClaims (create).
Leaves to others: binding (persistent_volume), removing them after the pod (garbage collector). Source: KEP-1698.
"""

import dataclasses
from collections.abc import Mapping

from steersman.api import kinds, volumes
from steersman.controllers import pods
from steersman.controllers.decision import Action, Create, Decision, Emit
from steersman.meta import objects, owners
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`claims` of the namespace by name: those that have the name of one of the pod's ephemeral volumes."""

    pod: Object
    claims: Mapping[str, Object]


def decide(seen: Seen) -> Decision:
    if not pods.is_active(seen.pod):
        return Decision(why="the pod needs no volumes any more")
    actions: list[Action] = []
    for volume in seen.pod["spec"].get("volumes") or ():
        if volume.get("ephemeral") is not None:
            actions += _claim(seen, volume)
    return Decision(tuple(actions), f"{len(actions)} claims missing" if actions else "all claims are there")


def is_for(claim: Object, pod: Object) -> bool:
    return owners.is_controlled_by(claim, pod)


def _claim(seen: Seen, volume: Object) -> list[Action]:
    """A claim of the same name that is somebody else's is never used: its data is not this pod's."""
    pod, name = seen.pod, volumes.ephemeral_name(seen.pod, volume)
    found = seen.claims.get(name)
    if found is None:
        refused = Emit(
            pod, "Warning", "FailedBinding", f"ephemeral volume {volume['name']}: create PVC {name}: {{error}}"
        )
        return [Create(kinds.PERSISTENT_VOLUME_CLAIM, _new(pod, name, volume["ephemeral"]), refused=refused)]
    if owners.is_controlled_by(found, pod):
        return []
    space = objects.namespace(pod)
    text = f"PVC {space}/{name} was not created for pod {space}/{objects.name(pod)} (pod is not owner)"
    return [Emit(pod, "Warning", "FailedBinding", f"ephemeral volume {volume['name']}: {text}")]


def _new(pod: Object, name: str, source: Object) -> Object:
    template = source.get("volumeClaimTemplate") or {}
    given = template.get("metadata") or {}
    meta: Object = {"name": name, "namespace": objects.namespace(pod)}
    meta |= {field: given[field] for field in ("labels", "annotations") if given.get(field)}
    meta["ownerReferences"] = [owners.make({**pod, "apiVersion": "v1", "kind": "Pod"})]
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": template.get("spec") or {}}
