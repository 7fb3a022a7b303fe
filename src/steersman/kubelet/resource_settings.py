"""What a KubeletConfiguration says about processors and memory of containers' own, and about processor time. Pure.

Source: upstream's kubelet/cm/{cpumanager,memorymanager,topologymanager}, apis/config/validation and the fields' documentation.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from steersman.kubelet import exclusive_resources, node_allocatable
from steersman.kubelet.eviction.thresholds import Malformed
from steersman.kubelet.joint_settings import MEMORY_QUALITY, REDUCED_CRASHES
from steersman.kubelet.options import Options
from steersman.kubelet.topology import cpu_policy, hardware, hints, memory_policy, scopes
from steersman.meta import quantities, times
from steersman.meta.objects import Object

QUOTA_PERIOD_LEAST_SECONDS, QUOTA_PERIOD_MOST_SECONDS = 0.001, 1.0
ALPHA_GATE = "CPUManagerPolicyAlphaOptions"
CLOSEST, NODES_MOST = "prefer-closest-numa-nodes", "max-allowable-numa-nodes"


def read(options: Options, found: Object) -> Options:
    """`options` with what is said there. Raises Malformed."""
    made = options
    for name, convert in FIELDS.items():
        if name in found:
            try:
                made = convert(made, found[name])
            except (ValueError, TypeError, KeyError, AttributeError) as problem:
                raise Malformed(f"{name}: invalid value {found[name]!r}: {problem}") from problem
    _check_cpu_options(made, found.get("cpuManagerPolicyOptions") or {}, found.get("featureGates") or {})
    if made.cpu_options.by_socket and made.topology.policy == hints.SINGLE:
        raise Malformed(
            f"Topology manager {hints.SINGLE} policy is incompatible with CPUManager align-by-socket policy option"
        )
    return made


def checked(made: Options) -> Options:
    """With all fields read. Raises Malformed."""
    _check_enforced(made)
    if made.reserved_cpus:
        # Upstream: named processors override what is reserved by number.
        others = {name: amount for name, amount in made.kube_reserved.items() if name != "cpu"}
        system = {**made.system_reserved, "cpu": str(len(made.reserved_cpus))}
        made = dataclasses.replace(made, kube_reserved=others, system_reserved=system)
    if made.cpu_policy == "static" and not exclusive_resources.reserved_count(made):
        raise Malformed(
            "[cpumanager] the static policy requires systemreserved.cpu + kubereserved.cpu to be greater than zero"
        )
    return made


def _check_enforced(made: Options) -> None:
    for key, group, field in (
        ("kube-reserved", made.kube_reserved_group, "kubeReservedCgroup"),
        ("system-reserved", made.system_reserved_group, "systemReservedCgroup"),
    ):
        both = [one for one in (key, f"{key}-compressible") if one in made.enforced]
        if both and not group:
            raise Malformed(
                f'{field} must be specified when "{both[0]}" contained in enforceNodeAllocatable: {list(made.enforced)}'
            )
        if len(both) > 1:
            raise Malformed(f'both "{both[0]}" and "{both[1]}" cannot be specified in enforceNodeAllocatable')
        if made.reserved_cpus and group:
            raise Malformed("can't use reservedSystemCPUs with systemReservedCgroup or kubeReservedCgroup")
    if "none" in made.enforced and len(made.enforced) > 1:
        raise Malformed('enforceNodeAllocatable may not contain additional enforcements when "none" is specified')


def _check_cpu_options(made: Options, named: Mapping[str, Any], gates: Mapping[str, Any]) -> None:
    if named and made.cpu_policy != "static":
        raise Malformed(f"cpuManagerPolicyOptions: the policy none has no options, but has {dict(named)}")
    for name in named:
        if name in cpu_policy.ALPHA_OPTIONS and not gates.get(ALPHA_GATE):
            raise Malformed(f'CPU Manager Policy Alpha-level Options not enabled, but option "{name}" provided')
    for one, other in cpu_policy.EXCLUDE_EACH_OTHER:
        fields = cpu_policy.OPTIONS[one], cpu_policy.OPTIONS[other]
        if all(getattr(made.cpu_options, field) for field in fields):
            raise Malformed(f"static policy options {one} and {other} can not be used at the same time")


def _cpu_options(made: Options, value: Mapping[str, Any]) -> Options:
    fields = {}
    for name, text in value.items():
        if name not in cpu_policy.OPTIONS:
            raise ValueError(f'unknown CPU Manager Policy option: "{name}"')
        fields[cpu_policy.OPTIONS[name]] = _truth(name, text)
    return dataclasses.replace(made, cpu_options=cpu_policy.Options(**fields))


def _truth(name: str, text: object) -> bool:
    found = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}.get(str(text).lower())
    if found is None:
        raise ValueError(f'bad value for option "{name}": {text!r} is neither true nor false')
    return found


def _choice(field: str, *known: str) -> Callable[[Options, Any], Options]:
    def convert(made: Options, value: Any) -> Options:
        if value not in known:
            raise ValueError(f"supported values: {', '.join(known)}")
        return dataclasses.replace(made, **{field: value})

    return convert


def _topology(field: str, *known: str) -> Callable[[Options, Any], Options]:
    def convert(made: Options, value: Any) -> Options:
        if value not in known:
            raise ValueError(f"supported values: {', '.join(known)}")
        return dataclasses.replace(made, topology=made.topology._replace(**{field: value}))

    return convert


def _topology_options(made: Options, value: Mapping[str, Any]) -> Options:
    settings: scopes.Settings = made.topology
    for name, text in value.items():
        if name == CLOSEST:
            settings = settings._replace(closest=_truth(name, text))
        elif name == NODES_MOST:
            if int(text) < hints.NODES_MOST:
                raise ValueError(f'the minimum value of "{name}" should not be less than {hints.NODES_MOST}')
            settings = settings._replace(nodes_most=int(text))
        else:
            raise ValueError(f'unknown Topology Manager Policy option: "{name}"')
    return dataclasses.replace(made, topology=settings)


def _reserved_cpus(made: Options, value: Any) -> Options:
    return dataclasses.replace(made, reserved_cpus=hardware.parse(str(value)))


def _reserved_memory(made: Options, value: list[Mapping[str, Any]]) -> Options:
    found: dict[int, dict[str, int]] = {}
    for one in value:
        node, amounts = int(one["numaNode"]), {}
        for name, amount in one["limits"].items():
            if name != memory_policy.MEMORY and not name.startswith("hugepages-"):
                raise ValueError(
                    f'the limit type "{name}" for NUMA node {node} is not allowed, only memory and hugepages are'
                )
            if (size := int(quantities.whole(str(amount)))) <= 0:
                raise ValueError(f"the memory reservation of {name} for NUMA node {node} must be greater than zero")
            amounts[name] = size
        if node in found:
            raise ValueError(f"NUMA node {node} is named twice")
        found[node] = amounts
    return dataclasses.replace(made, reserved_memory=found)


def _enforced(made: Options, value: list[Any]) -> Options:
    if wrong := [one for one in value if one not in node_allocatable.CHOICES]:
        raise ValueError(f'option "{wrong[0]}" is none of {", ".join(node_allocatable.CHOICES)}')
    return dataclasses.replace(made, enforced=tuple(map(str, value)))


def _text(field: str) -> Callable[[Options, Any], Options]:
    def convert(made: Options, value: Any) -> Options:
        changed: dict[str, Any] = {field: str(value)}
        return dataclasses.replace(made, **changed)

    return convert


def _single_kill(made: Options, value: Any) -> Options:
    if not isinstance(value, bool):
        raise TypeError("must be true or false")
    return dataclasses.replace(made, single_process_oom_kill=value)


def _quota(made: Options, value: Any) -> Options:
    if not isinstance(value, bool):
        raise TypeError("must be true or false")
    return made if value else dataclasses.replace(made, cpu_quota_period_us=0)


def _quota_period(made: Options, value: Any) -> Options:
    seconds = times.parse_duration(str(value))
    if not QUOTA_PERIOD_LEAST_SECONDS <= seconds <= QUOTA_PERIOD_MOST_SECONDS:
        raise ValueError("must be between 1ms and 1s, inclusive")
    return dataclasses.replace(made, cpu_quota_period_us=round(seconds * 1_000_000))


def _gates(made: Options, value: Mapping[str, Any]) -> Options:
    for name, on in value.items():
        if name not in (ALPHA_GATE, REDUCED_CRASHES, MEMORY_QUALITY):
            raise ValueError(f"unrecognized feature gate: {name}")
        _truth(name, on)
    return made


FIELDS: dict[str, Callable[[Options, Any], Options]] = {
    "featureGates": _gates,
    "enforceNodeAllocatable": _enforced,
    "kubeReservedCgroup": _text("kube_reserved_group"),
    "systemReservedCgroup": _text("system_reserved_group"),
    "cpuManagerPolicy": _choice("cpu_policy", "none", "static"),
    "cpuManagerPolicyOptions": _cpu_options,
    "reservedSystemCPUs": _reserved_cpus,
    "memoryManagerPolicy": _choice("memory_policy", "None", "Static"),
    "reservedMemory": _reserved_memory,
    "topologyManagerPolicy": _topology("policy", *hints.POLICIES),
    "topologyManagerScope": _topology("scope", *hints.SCOPES),
    "topologyManagerPolicyOptions": _topology_options,
    "singleProcessOOMKill": _single_kill,
    "cpuCFSQuotaPeriod": _quota_period,
    "cpuCFSQuota": _quota,
}
