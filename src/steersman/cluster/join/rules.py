"""What a machine may be in a cluster it wants to join: its name, labels, taints, addresses and release. Pure.

Source: kubeadm's preflight checks, the kubelet's flags --node-labels and --register-with-taints, the version skew policy.
"""

from collections.abc import Collection, Sequence

from steersman.api import releases
from steersman.apiserver.admission.node_restriction import nodes
from steersman.cluster import runtimes
from steersman.controllers.csr_node_approving.decide import is_guarded_name
from steersman.meta import conditions, names
from steersman.meta.objects import Object

BEHIND_MAX = 3  # minor releases that a node may be older than its API server
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def parse_labels(text: str) -> dict[str, str]:
    """`key=value,…`. Raises ValueError, also for what a node may not say of itself (NodeRestriction)."""
    found = {}
    for one in filter(None, text.split(",")):
        key, has_value, value = one.partition("=")
        problems = [*names.qualified_name_errors(key), *names.label_value_errors(value)]
        if not has_value or problems:
            raise ValueError(f"not a label: {one!r}{''.join(f' ({problem})' for problem in problems[:1])}")
        found[key] = value
    strange = [key for key in found if nodes.is_kept_from_it(key)]
    if strange:
        raise ValueError(
            f"a node may not give itself the label {', '.join(strange)}: those of kubernetes.io and k8s.io must begin with "
            "kubelet.kubernetes.io/ or node.kubernetes.io/ (label it afterwards: kubectl label node)"
        )
    return found


def parse_taints(text: str) -> tuple[Object, ...]:
    """`key=value:Effect` or `key:Effect`, with commas between. Raises ValueError."""
    found = []
    for one in filter(None, text.split(",")):
        head, has_effect, effect = one.rpartition(":")
        key, _, value = head.partition("=")
        if not has_effect or effect not in EFFECTS:
            raise ValueError(f"not a taint: {one!r} (KEY=VALUE:EFFECT; effects are {', '.join(EFFECTS)})")
        problems = [*names.qualified_name_errors(key), *names.label_value_errors(value)]
        if problems:
            raise ValueError(f"not a taint: {one!r} ({problems[0]})")
        found.append({"key": key, "effect": effect, **({"value": value} if value else {})})
    return tuple(found)


def check_runtime(text: str) -> str:
    """Of a machine whose nodes are not on paper. Raises ValueError."""
    if runtimes.check(text) == "fake":
        raise ValueError("a machine that joins runs real containers: auto, oci, cri or cri:SOCKET")
    return text


def check_name(text: str) -> str:
    """The node's name, as the kubelet takes it from a host's. Raises ValueError."""
    name = text.strip().lower()
    problems = names.subdomain_errors(name)
    if problems:
        raise ValueError(f"{text!r} can be no node's name: {problems[0]}")
    return name


def taken(name: str, node: Object | None, names_of_server: Collection[str] = ()) -> str:
    """Why a new machine may not have this name; "" when it may. A node that is not Ready is taken to be this one of before."""
    if is_guarded_name(name, names_of_server):
        return f'The cluster\'s own machine is known as "{name}": give this one another --node-name.'
    if node is None or not conditions.is_true(node, "Ready"):
        return ""
    return (
        f'The cluster has a Node "{name}" that is Ready: delete it there (kubectl delete node {name}), '
        "or give this machine another --node-name."
    )


def release(of_cluster: str, here: str = f"1.{releases.NEWEST_MINOR}") -> str:
    """The release that this machine's kubelet has in a cluster of `of_cluster`. Raises ValueError where there is none."""
    wanted, newest = _minor(of_cluster), _minor(here)
    if wanted <= newest:
        return of_cluster
    if wanted - newest > BEHIND_MAX:
        raise ValueError(
            f"The cluster is Kubernetes {of_cluster}; this machine's Steersman can be {here} at the most, and a node may be no "
            f"more than {BEHIND_MAX} minor releases behind: install a newer one."
        )
    return here


def collision(ranges: Sequence[str]) -> str:
    """`ranges` of the cluster are used on this machine already; "" when there are none."""
    if not ranges:
        return ""
    return (
        f"This machine already uses addresses that the cluster gives to nodes, pods or Services ({', '.join(ranges)}): "
        "another cluster runs here, or one of its networks is the same."
    )


def _minor(text: str) -> int:
    return int(text.removeprefix("v").split(".")[1])
