"""What a client may not set: `prepare` (main resource) and `prepare_status` (status subresource) of the kinds.

`new` is fresh from decoding and changed in place; `old` is what is stored, None on create. Spec and status have one writer
each: writing one never changes the other. Source: upstream's registry strategies.
"""

from steersman.api import app_armor
from steersman.api.defaults import pods
from steersman.meta import quantities
from steersman.meta.objects import Object

# What is written of a status that nobody has set: counts that are no pointers in upstream's types.
_EMPTY_STATUS: dict[str, Object] = {
    "DaemonSet": {
        "currentNumberScheduled": 0,
        "desiredNumberScheduled": 0,
        "numberMisscheduled": 0,
        "numberReady": 0,
    },
    "HorizontalPodAutoscaler": {"desiredReplicas": 0},
    "Ingress": {"loadBalancer": {}},
    "PodDisruptionBudget": {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0},
    "ReplicaSet": {"replicas": 0},
    "ReplicationController": {"replicas": 0},
    "Service": {"loadBalancer": {}},
    "StatefulSet": {"availableReplicas": 0, "replicas": 0},
}


def drop_status(new: Object, old: Object | None) -> None:
    """The rule of all kinds with a status subresource. A new object shows that it has one: typed clients of upstream always do, and
    programs read it without asking."""
    if old is None:
        new["status"] = dict(_EMPTY_STATUS.get(new.get("kind", ""), {}))
    else:
        keep_status(new, old)


def keep_status(new: Object, old: Object | None) -> None:
    """The rule of custom kinds with a status, and of kinds whose status is a pointer: there is none until somebody writes one."""
    if old is not None and "status" in old:
        new["status"] = old["status"]
    else:
        new.pop("status", None)


def keep_all_but_status(new: Object, old: Object) -> None:
    """A status write changes the status; labels and the rest of the object stay."""
    _restore(new, old, ("labels", "ownerReferences", "deletionTimestamp", "deletionGracePeriodSeconds"))


def keep_all_but_status_and_labels(new: Object, old: Object) -> None:
    """As above, for kinds whose agents also label and annotate through the status (Pod, Node, Namespace)."""
    _restore(new, old, ("ownerReferences", "deletionTimestamp", "deletionGracePeriodSeconds"))


def _restore(new: Object, old: Object, of_metadata: tuple[str, ...]) -> None:
    for field in [key for key in new if key not in old and key not in ("metadata", "status")]:
        del new[field]
    for field, value in old.items():
        if field not in ("metadata", "status"):
            new[field] = value
    metadata = new["metadata"] = dict(new.get("metadata") or {})
    for field in of_metadata:
        if field in old["metadata"]:
            metadata[field] = old["metadata"][field]
        else:
            metadata.pop(field, None)


def prepare_namespace(new: Object, old: Object | None) -> None:
    """The finalizer `kubernetes` stands for the namespace's content; only the finalize subresource removes it."""
    spec = new["spec"] = dict(new.get("spec") or {})
    if old is None:
        new["status"] = {"phase": "Active"}
        finalizers = list(spec.get("finalizers") or ())
        spec["finalizers"] = finalizers if "kubernetes" in finalizers else [*finalizers, "kubernetes"]
        return
    drop_status(new, old)
    kept = (old.get("spec") or {}).get("finalizers")
    if kept is None:
        spec.pop("finalizers", None)
    else:
        spec["finalizers"] = kept


def prepare_node(new: Object, old: Object | None) -> None:
    """A kubelet registers its node with a status; later ones go through the subresource."""
    if old is not None:
        drop_status(new, old)


def prepare_pod(new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        spec["terminationGracePeriodSeconds"] = 1  # nobody goes back in time: as soon as possible
    if old is None:
        app_armor.sync(new)
        new["status"] = {"phase": "Pending", "qosClass": qos_class(spec)}
        if spec.get("schedulingGates"):
            new["status"]["conditions"] = [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "SchedulingGated",
                    "message": "Scheduling is blocked due to non-empty scheduling gates",
                }
            ]
        return
    drop_status(new, old)


def prepare_volume(new: Object, old: Object | None) -> None:
    """A new volume is Pending since it was made."""
    if old is None:
        stamp = new["metadata"].get("creationTimestamp")
        new["status"] = {"phase": "Pending"} | ({"lastPhaseTransitionTime": stamp} if stamp else {})
        return
    drop_status(new, old)


def prepare_attachment(new: Object, old: Object | None) -> None:
    keep_status(new, old)
    new.setdefault("status", {"attached": False})


_POPULATORS = (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))


def prepare_claim(new: Object, old: Object | None) -> None:
    """`dataSource` and `dataSourceRef` mean the same, and each is filled in from the other; the older one can only name
    claims and snapshots, and drops everything else without a word."""
    drop_status(new, old)
    if old is not None:
        return
    new["status"] = {"phase": "Pending"}
    spec = new["spec"] = dict(new.get("spec") or {})
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and reference is None:
        if ((source.get("apiGroup") or ""), source.get("kind")) not in _POPULATORS:
            del spec["dataSource"]
        else:
            spec["dataSourceRef"] = dict(source)
    elif source is None and reference is not None and not reference.get("namespace"):
        spec["dataSource"] = dict(reference)


# Labels a Job's pods are found by; the short ones are older.
JOB_NAME, CONTROLLER_UID = "batch.kubernetes.io/job-name", "batch.kubernetes.io/controller-uid"
LEGACY_JOB_NAME, LEGACY_CONTROLLER_UID = "job-name", "controller-uid"

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def prepare_job(new: Object, old: Object | None) -> None:
    """A new Job gets a selector that no other one has, unless it says `manualSelector`."""
    drop_status(new, old)
    spec = new.get("spec")
    if old is not None or not spec or spec.get("manualSelector"):
        return
    meta = new["metadata"]
    template = spec["template"] = dict(spec.get("template") or {})
    given = template["metadata"] = dict(template.get("metadata") or {})
    name, uid = meta.get("name", ""), meta.get("uid", "")
    ours = {LEGACY_JOB_NAME: name, JOB_NAME: name, LEGACY_CONTROLLER_UID: uid, CONTROLLER_UID: uid}
    given["labels"] = {**ours, **(given.get("labels") or {})}
    selector = spec["selector"] = dict(spec.get("selector") or {})
    selector["matchLabels"] = {CONTROLLER_UID: uid, **(selector.get("matchLabels") or {})}


def prepare_certificate_request(new: Object, old: Object | None) -> None:
    """What was asked for is asked for; admission says by whom."""
    drop_status(new, old)
    if old is not None:
        new["spec"] = old["spec"]


def prepare_daemon_set(new: Object, old: Object | None) -> None:
    """The generation of the template, an annotation since apps/v1, counts its changes."""
    drop_status(new, old)
    generation = 1
    if old is not None:
        pods.default_template(template := (new.get("spec") or {}).get("template") or {})
        generation = _template_generation(old) + (template != (old.get("spec") or {}).get("template"))
    meta = new["metadata"]
    meta["annotations"] = {**(meta.get("annotations") or {}), TEMPLATE_GENERATION: str(generation)}


def _template_generation(daemon_set: Object) -> int:
    text = (daemon_set["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION, "")
    return int(text) if text.isdecimal() and len(text) < 19 else 1


def prepare_service(new: Object, old: Object | None) -> None:
    drop_status(new, old)
    keep_allocated(new, old)
    if old is not None and (new.get("spec") or {}).get("type") != "LoadBalancer":
        new["status"] = {"loadBalancer": {}, **_without(new.get("status") or {}, "loadBalancer")}


def keep_allocated(new: Object, old: Object | None) -> None:
    """An update that leaves allocated addresses and ports out keeps them; one that changes the type lets go of those that the
    new type cannot have and that it did not speak of."""
    if old is None:
        return
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if _has_cluster_ip(spec) and _has_cluster_ip(before):
        if not spec.get("clusterIP") and before.get("clusterIP"):
            spec["clusterIP"] = before["clusterIP"]
        if not spec.get("clusterIPs") and spec.get("clusterIP") == before.get("clusterIP"):
            spec["clusterIPs"] = before.get("clusterIPs") or [one for one in (spec.get("clusterIP"),) if one]
    if _has_node_ports(spec) and _has_node_ports(before):
        _keep_node_ports(spec, before)
    if not spec.get("healthCheckNodePort") and _has_health_port(spec) and _has_health_port(before):
        spec["healthCheckNodePort"] = before.get("healthCheckNodePort", 0)
    if not _has_cluster_ip(spec) and _has_cluster_ip(before):
        _drop_unchanged(spec, before, ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"))
    if _has_node_ports(before) and not _has_node_ports(spec):
        _drop_node_ports(spec, before)
    if _has_health_port(before) and not _has_health_port(spec):
        _drop_unchanged(spec, before, ("healthCheckNodePort",))
    if before.get("type") == "LoadBalancer" and spec.get("type") != "LoadBalancer":
        _drop_unchanged(spec, before, ("allocateLoadBalancerNodePorts", "loadBalancerClass"))
    if not _is_external(spec) and _is_external(before):
        _drop_unchanged(spec, before, ("externalTrafficPolicy",))


def grace_of_pod(pod: Object) -> int | None:
    """Seconds a pod gets to end where nobody says otherwise; None when nothing runs: not yet on a node, or already finished."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return None
    seconds = spec.get("terminationGracePeriodSeconds")
    return 30 if seconds is None else max(int(seconds), 1 if seconds < 0 else 0)


def qos_class(spec: Object) -> str:
    """Guaranteed: every container's CPU and memory limits equal its requests. BestEffort: none has any. Else Burstable."""
    amounts: list[tuple[dict[str, int], dict[str, int]]] = []
    pod_level = spec.get("resources") or {}
    owners = (
        [{"resources": pod_level}]
        if pod_level
        else [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    )
    for owner in owners:
        resources = owner.get("resources") or {}
        limits = _cpu_and_memory(resources.get("limits"))
        amounts.append((limits, {**limits, **_cpu_and_memory(resources.get("requests"))}))
    if not any(limits or requests for limits, requests in amounts):
        return "BestEffort"
    if all(len(limits) == 2 and limits == requests for limits, requests in amounts):
        return "Guaranteed"
    return "Burstable"


def _cpu_and_memory(amounts: Object | None) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in ("cpu", "memory"):
        if amounts and name in amounts and (nanos := quantities.parse(amounts[name]).nanos):
            found[name] = nanos
    return found


def _has_cluster_ip(spec: Object) -> bool:
    return (spec.get("type") or "ClusterIP") in ("ClusterIP", "NodePort", "LoadBalancer")


def _has_node_ports(spec: Object) -> bool:
    return spec.get("type") in ("NodePort", "LoadBalancer")


def _has_health_port(spec: Object) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _is_external(spec: Object) -> bool:
    """Whether connections from outside may come in, so that a policy about them makes sense."""
    return _has_node_ports(spec) or (spec.get("type") == "ClusterIP" and bool(spec.get("externalIPs")))


def _drop_node_ports(spec: Object, before: Object) -> None:
    known = {
        (port.get("protocol") or "TCP", port.get("port")): port.get("nodePort") for port in before.get("ports") or ()
    }
    for port in spec.get("ports") or ():
        if port.get("nodePort") and known.get((port.get("protocol") or "TCP", port.get("port"))) == port["nodePort"]:
            del port["nodePort"]


def _without(obj: Object, field: str) -> Object:
    return {key: value for key, value in obj.items() if key != field}


def _keep_node_ports(spec: Object, before: Object) -> None:
    used = {port.get("nodePort") for port in spec.get("ports") or ()}
    known = {
        (port.get("protocol") or "TCP", port.get("port")): port.get("nodePort") for port in before.get("ports") or ()
    }
    for port in spec.get("ports") or ():
        node_port = known.get((port.get("protocol") or "TCP", port.get("port")))
        if not port.get("nodePort") and node_port and node_port not in used:
            port["nodePort"] = node_port


def _drop_unchanged(spec: Object, before: Object, fields: tuple[str, ...]) -> None:
    for field in fields:
        if field in spec and spec[field] == before.get(field):
            del spec[field]
