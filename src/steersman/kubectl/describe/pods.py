"""Pods."""

from steersman.kubectl.describe import containers, events, pod_templates, volumes
from steersman.kubectl.describe.writing import (
    NONE,
    Description,
    annotations,
    controlled_by,
    labels,
    metadata,
    name,
    spec,
    status,
)
from steersman.meta.objects import Object


def pod(d: Description, obj: Object) -> None:
    _identity(d, obj)
    _condition(d, obj)
    _addresses(d, obj)
    controlled_by(d, obj)
    if status(obj).get("nominatedNodeName"):
        d.row(0, "NominatedNodeName:", status(obj)["nominatedNodeName"])
    if spec(obj).get("resources") is not None:
        d.write(0, "Resources:\n")
        containers.resources(d, spec(obj)["resources"], 1)
    _containers(d, obj)
    _gates(d, obj)
    found = status(obj).get("conditions") or ()
    if found:
        d.write(0, "Conditions:\n  Type\tStatus\n")
        for one in found:
            d.write(1, f"{one.get('type', '')} \t{one.get('status', '')} \n")
    volumes.write(d, spec(obj).get("volumes"))
    d.row(0, "QoS Class:", quality_of_service(obj))
    labels(d, "Node-Selectors", spec(obj).get("nodeSelector"))
    pod_templates.tolerations(d, "Tolerations", spec(obj).get("tolerations"))
    pod_templates.spreading(d, spec(obj).get("topologySpreadConstraints"))
    events.write(d)


def _identity(d: Description, obj: Object) -> None:
    wanted, seen = spec(obj), status(obj)
    name(d, obj)
    if wanted.get("priority") is not None:
        d.row(0, "Priority:", wanted["priority"])
    for title, key in (
        ("Priority Class Name", "priorityClassName"),
        ("Runtime Class Name", "runtimeClassName"),
        ("Service Account", "serviceAccountName"),
    ):
        if wanted.get(key):
            d.row(0, f"{title}:", wanted[key])
    d.row(0, "Node:", f"{wanted['nodeName']}/{seen.get('hostIP', '')}" if wanted.get("nodeName") else NONE)
    if seen.get("startTime"):
        d.row(0, "Start Time:", d.time(seen["startTime"]))
    labels(d, "Labels", metadata(obj).get("labels"))
    annotations(d, "Annotations", metadata(obj).get("annotations"))


def _condition(d: Description, obj: Object) -> None:
    seen, ends = status(obj), metadata(obj).get("deletionTimestamp")
    if ends and seen.get("phase") not in ("Failed", "Succeeded"):
        d.row(0, "Status:", f"Terminating (lasts {d.since(ends)})")
        d.row(0, "Termination Grace Period:", f"{metadata(obj).get('deletionGracePeriodSeconds', 0)}s")
    else:
        d.row(0, "Status:", seen.get("phase", ""))
    for key in ("reason", "message"):
        if seen.get(key):
            d.row(0, f"{key.capitalize()}:", seen[key])
    seccomp = (spec(obj).get("securityContext") or {}).get("seccompProfile")
    if seccomp:
        d.row(0, "SeccompProfile:", seccomp.get("type", ""))
        if seccomp.get("type") == "Localhost":
            d.row(0, "LocalhostProfile:", seccomp.get("localhostProfile", ""))


def _addresses(d: Description, obj: Object) -> None:
    d.row(0, "IP:", status(obj).get("podIP", ""))
    addresses = status(obj).get("podIPs") or ()
    if not addresses:
        d.row(0, "IPs:", NONE)
        return
    d.write(0, "IPs:\n")
    for one in addresses:
        d.row(1, "IP:", one.get("ip", ""))


def _containers(d: Description, obj: Object) -> None:
    resolve = containers.resolver(obj)
    for title, key, statuses in (
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
        ("Ephemeral Containers", "ephemeralContainers", "ephemeralContainerStatuses"),
    ):
        found = spec(obj).get(key) or []
        if found or key == "containers":
            containers.write(d, title, found, status(obj).get(statuses) or (), resolve=resolve)


def _gates(d: Description, obj: Object) -> None:
    gates = spec(obj).get("readinessGates") or ()
    if not gates:
        return
    by_type = {one.get("type"): one.get("status", "") for one in reversed(status(obj).get("conditions") or ())}
    d.write(0, "Readiness Gates:\n  Type\tStatus\n")
    for gate in gates:
        kind = gate.get("conditionType", "")
        d.write(1, f"{kind} \t{by_type.get(kind, NONE)} \n")


def quality_of_service(obj: Object) -> str:
    told = status(obj).get("qosClass")
    if told:
        return str(told)
    from steersman.api import strategies

    return strategies.qos_class(spec(obj))
