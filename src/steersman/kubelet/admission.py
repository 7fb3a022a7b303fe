"""Whether this node takes a pod that was bound to it: room, ports, its labels, sysctls, what it cannot enforce.

A pod that is refused fails at once, with upstream's reason and message; nothing of it is made. Pure.
Source: upstream's kubelet/lifecycle/predicate.go, kubelet/sysctl and security/apparmor.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from steersman.api import app_armor, host_ports
from steersman.api.host_ports import HostPort
from steersman.kubelet import qos, static_pods
from steersman.meta import objects
from steersman.meta.objects import Object

# Sysctls that stay in a pod's namespaces and harm nobody beside it (upstream's safe set); others need the node's word.
SAFE_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
    }
)
# With the host's own namespaces these would change the host.
NETWORK_SYSCTLS, IPC_SYSCTLS = ("net.",), ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    reason: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """What the decision may know. `used` are the requests of the pods that are here and not over, each as
    `qos.pod_requests` gives them; `ports` are taken by those pods. `keeps_to_groups`: its runtime knows
    `supplementalGroupsPolicy: Strict`."""

    name: str
    labels: Mapping[str, str]
    allocatable: Mapping[str, str]
    used: Iterable[Mapping[str, int]]
    unsafe_sysctls: tuple[str, ...] = ()
    ports: Iterable[HostPort] = ()
    has_app_armor: bool = False
    taints: Iterable[Object] = ()
    keeps_to_groups: bool = True


def decide(pod: Object, node: Node) -> Refusal | None:
    """None: welcome. In upstream's order: what no other pod's end would change comes first."""
    return (
        _operating_system(pod)
        or _groups(pod, node)
        or room(_known(qos.pod_requests(pod), node), node)
        or _affinity(pod, node)
        or _ports(pod, node)
        or _taints(pod, node)
        or _sysctls(pod, node)
        or _app_armor(pod, node)
    )


def _known(wanted: Mapping[str, int], node: Node) -> Mapping[str, int]:
    """Without extended resources that this node never had: whoever scheduled the pod here decided without them."""
    return {name: amount for name, amount in wanted.items() if name in node.allocatable or not is_extended(name)}


def is_extended(name: str) -> bool:
    """A resource that somebody else than Kubernetes names, as `example.com/gpu`."""
    domain, slash, _ = name.partition("/")
    return bool(slash) and domain != "kubernetes.io" and not domain.endswith(".kubernetes.io")


def _operating_system(pod: Object) -> Refusal | None:
    """By the pod's label and its field; what it wants of nodes' labels is its affinity."""
    wanted = objects.labels(pod).get("kubernetes.io/os")
    if wanted is not None and wanted != "linux":
        text = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label"
        return Refusal("PodOSSelectorNodeLabelDoesNotMatch", text)
    named = (pod["spec"].get("os") or {}).get("name")
    if named not in (None, "linux"):
        return Refusal("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
    return None


def _groups(pod: Object, node: Node) -> Refusal | None:
    policy = (pod["spec"].get("securityContext") or {}).get("supplementalGroupsPolicy")
    if policy != "Strict" or node.keeps_to_groups:
        return None
    text = "SupplementalGroupsPolicy=Strict is not supported in this node"
    return Refusal("SupplementalGroupsPolicyNotSupported", text)


def _taints(pod: Object, node: Node) -> Refusal | None:
    """Only those that would end it at once; static pods come from the node's own files."""
    tolerations = pod["spec"].get("tolerations") or ()
    ends = [one for one in node.taints if one.get("effect") == "NoExecute"]
    if static_pods.is_static(pod) or all(any(_tolerates(one, taint) for one in tolerations) for taint in ends):
        return None
    text = "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"
    return Refusal("TaintToleration", text)


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    if (toleration.get("operator") or "Equal") == "Exists":
        return True
    return (toleration.get("value") or "") == (taint.get("value") or "")


def room(wanted: Mapping[str, int], node: Node) -> Refusal | None:
    """Whether `wanted` fits beside what is used: pods first, then the resources in upstream's order."""
    used = dict.fromkeys(wanted, 0)
    for requests in node.used:
        for name in used:
            used[name] += requests.get(name, 0)
    order = [name for name in ("pods", "cpu", "memory", "ephemeral-storage") if name in wanted]
    for name in [*order, *sorted(wanted.keys() - set(order))]:
        capacity = qos.amount(name, node.allocatable.get(name, "0"))
        if wanted[name] and used.get(name, 0) + wanted[name] > capacity:
            text = (
                f"Node didn't have enough resource: {name}, requested: {wanted[name]}, "
                f"used: {used.get(name, 0)}, capacity: {capacity}"
            )
            return Refusal(f"OutOf{name}", text)
    return None


def missing(pod: Object, node: Node) -> dict[str, int]:
    """How much of each resource lacks for this pod beside what is used."""
    wanted = _known(qos.pod_requests(pod), node)
    used = list(node.used)
    found = {
        name: amount + sum(one.get(name, 0) for one in used) - qos.amount(name, node.allocatable.get(name, "0"))
        for name, amount in wanted.items()
        if amount
    }
    return {name: amount for name, amount in found.items() if amount > 0}


def _ports(pod: Object, node: Node) -> Refusal | None:
    if not host_ports.conflict(host_ports.of(pod["spec"]), node.ports):
        return None
    return Refusal(
        "NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
    )


def resize(wanted: Mapping[str, int], node: Node) -> tuple[str, str]:
    """("", "") when the node has room for these requests now, else upstream's reason and message of PodResizePending."""
    refusal = room(wanted, node)
    return ("Deferred", refusal.message) if refusal is not None else ("", "")


def _sysctls(pod: Object, node: Node) -> Refusal | None:
    spec = pod["spec"]
    for one in (spec.get("securityContext") or {}).get("sysctls") or []:
        name = str(one["name"]).replace("/", ".")
        if name in SAFE_SYSCTLS:
            allowed = True
        else:
            allowed = any(
                name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1]))
                for pattern in node.unsafe_sysctls
            )
        if not allowed:
            return Refusal("SysctlForbidden", f'forbidden sysctl: "{name}" not allowlisted')
        if spec.get("hostNetwork") and name.startswith(NETWORK_SYSCTLS):
            return Refusal("SysctlForbidden", f'forbidden sysctl: "{name}" not allowed with host net enabled')
        if spec.get("hostIPC") and name.startswith(IPC_SYSCTLS):
            return Refusal("SysctlForbidden", f'forbidden sysctl: "{name}" not allowed with host ipc enabled')
    return None


def _app_armor(pod: Object, node: Node) -> Refusal | None:
    """Who demands a profile must not run without."""
    spec = pod["spec"]
    wanted = {app_armor.profile_of(spec, one).get("type", "Unconfined") for _, one in app_armor.containers(spec)}
    if not node.has_app_armor and wanted - {"Unconfined"}:
        return Refusal("AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host")
    return None


# --- node affinity ---------------------------------------------------------------------------------------------------


def _affinity(pod: Object, node: Node) -> Refusal | None:
    if fits_labels(pod, node.name, node.labels):
        return None
    text = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
    return Refusal("NodeAffinity", text)


def fits_labels(pod: Object, node_name: str, labels: Mapping[str, str]) -> bool:
    spec = pod["spec"]
    if any(labels.get(name) != value for name, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(_term_holds(term, node_name, labels) for term in required.get("nodeSelectorTerms") or [])


def _term_holds(term: Object, node_name: str, labels: Mapping[str, str]) -> bool:
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False  # upstream: an empty term matches nothing
    name = {"metadata.name": node_name}
    return all(_holds(one, labels) for one in expressions) and all(_holds(one, name) for one in fields)


def _holds(expression: Object, labels: Mapping[str, str]) -> bool:
    found = labels.get(expression["key"])
    return OPERATORS[expression["operator"]](found, expression.get("values") or [])


def _compares(found: str | None, values: list[str], sign: int) -> bool:
    try:
        return found is not None and sign * (int(found) - int(values[0])) > 0
    except ValueError:
        return False


OPERATORS: dict[str, Callable[[str | None, list[Any]], bool]] = {
    "In": lambda found, values: found in values,
    "NotIn": lambda found, values: found not in values,
    "Exists": lambda found, _: found is not None,
    "DoesNotExist": lambda found, _: found is None,
    "Gt": lambda found, values: _compares(found, values, 1),
    "Lt": lambda found, values: _compares(found, values, -1),
}


def is_new(pod: Object) -> bool:
    """Not taken by an earlier kubelet of this node, and not on its way out."""
    status = pod.get("status") or {}
    over = status.get("phase") in ("Succeeded", "Failed")
    return not over and not status.get("startTime") and not objects.is_terminating(pod)
