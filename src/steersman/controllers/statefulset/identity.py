"""Who a pod of a StatefulSet is: its ordinal, from which its name, host name, labels and claims follow. Pure."""

from steersman.controllers import revisions
from steersman.meta import objects, owners
from steersman.meta.objects import Object

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"


def ordinal(stateful_set: Object, pod: Object) -> int | None:
    """None for a pod that is none of this set's, whatever its labels say."""
    parent, dash, number = objects.name(pod).rpartition("-")
    is_number = number.isascii() and number.isdigit() and len(number) < 10
    return int(number) if dash and is_number and parent == objects.name(stateful_set) else None


def start(stateful_set: Object) -> int:
    return int((stateful_set["spec"].get("ordinals") or {}).get("start") or 0)


def revision_of(pod: Object) -> str:
    return objects.labels(pod).get(revisions.HASH_LABEL, "")


def missing_labels(pod: Object) -> dict[str, str]:
    """What an adopted pod still lacks."""
    name = objects.name(pod)
    wanted = {POD_NAME: name, POD_INDEX: name.rpartition("-")[2]}
    return {key: value for key, value in wanted.items() if objects.labels(pod).get(key) != value}


def new_pod(stateful_set: Object, revision: Object, number: int) -> Object:
    template = revisions.template_of(revision)
    given = template.get("metadata") or {}
    name = f"{objects.name(stateful_set)}-{number}"
    labels = {
        **(given.get("labels") or {}),
        POD_NAME: name,
        POD_INDEX: str(number),
        revisions.HASH_LABEL: objects.name(revision),
    }
    meta: Object = {
        "name": name,
        # As upstream's, which makes its pods by the same way as pods with generated names.
        "generateName": f"{objects.name(stateful_set)}-",
        "namespace": objects.namespace(stateful_set),
        "labels": labels,
        "ownerReferences": [owners.make(stateful_set)],
    }
    meta |= {field: given[field] for field in ("annotations", "finalizers") if given.get(field)}
    spec = {**(template.get("spec") or {}), "hostname": name}
    if stateful_set["spec"].get("serviceName"):
        spec["subdomain"] = stateful_set["spec"]["serviceName"]
    used = claims(stateful_set, number)
    if used:
        kept = [one for one in spec.get("volumes") or () if one.get("name") not in used]
        spec["volumes"] = [
            *({"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in used.items()),
            *kept,
        ]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def claims(stateful_set: Object, number: int) -> dict[str, str]:
    """Volume → claim."""
    listed = stateful_set["spec"].get("volumeClaimTemplates") or ()
    found = (str((claim.get("metadata") or {}).get("name", "")) for claim in listed)
    return {name: f"{name}-{objects.name(stateful_set)}-{number}" for name in found}
