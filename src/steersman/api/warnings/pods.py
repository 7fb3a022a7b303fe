"""Warnings about pods and pod templates. Source: upstream's pkg/api/pod/warnings.go."""

from collections.abc import Iterable, Iterator

from steersman.meta import names, quantities
from steersman.meta.objects import Object

LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
}

# A slash at the end: every annotation that begins so.
_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "seccomp.security.alpha.kubernetes.io/pod": 'non-functional in v1.27+; use the "seccompProfile" field instead',
    "container.seccomp.security.alpha.kubernetes.io/": 'non-functional in v1.27+; use the "seccompProfile" field instead',
    "container.apparmor.security.beta.kubernetes.io/": 'deprecated since v1.30; use the "appArmorProfile" field instead',
}

_VOLUMES = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11, and disabled by default in v1.33+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
}

_AFFINITY = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERENCE = "preferredDuringSchedulingIgnoredDuringExecution"
_BYTES = ("memory", "ephemeral-storage")


def of_pod(new: Object, old: Object | None) -> list[str]:
    """Nothing on updates: people seldom make them, and controllers do not read warnings."""
    if old is not None:
        return []
    found = []
    if wrong := names.label_errors(new["metadata"].get("name", "")):
        text = "this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended"
        found.append(f"metadata.name: {text}: [{' '.join(wrong)}]")
    return [*found, *of_template(new, "")]


def of_template(template: Object, path: str) -> list[str]:
    """`path` is that of the template, empty for a pod."""
    start = f"{path}." if path else ""
    spec, meta = template.get("spec") or {}, template.get("metadata") or {}
    return [
        *_labels(spec, f"{start}spec"),
        *_annotations(meta.get("annotations") or {}, f"{start}metadata.annotations"),
        *_volumes(spec.get("volumes") or (), f"{start}spec.volumes"),
        *_twice(spec.get("hostAliases"), "ip", "duplicate ip", f"{start}spec.hostAliases"),
        *_pull_secrets(spec.get("imagePullSecrets") or (), f"{start}spec.imagePullSecrets"),
        *_fractions(spec.get("overhead") or {}, f"{start}spec.overhead"),
        *_grace(spec, f"{start}spec"),
        *_containers(spec, f"{start}spec"),
    ]


def _labels(spec: Object, path: str) -> Iterator[str]:
    for key in spec.get("nodeSelector") or ():
        if key in LABELS:
            yield f"{path}.nodeSelector[{key}]: {LABELS[key]}"
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    here = f"{path}.affinity.nodeAffinity"
    for index, term in enumerate((affinity.get(_AFFINITY) or {}).get("nodeSelectorTerms") or ()):
        yield from _expressions(term, f"{here}.{_AFFINITY}.nodeSelectorTerms[{index}]")
    for index, one in enumerate(affinity.get(_PREFERENCE) or ()):
        yield from _expressions(one.get("preference") or {}, f"{here}.{_PREFERENCE}[{index}].preference")
    for index, one in enumerate(spec.get("topologySpreadConstraints") or ()):
        key = one.get("topologyKey")
        if key in LABELS:
            yield f"{path}.topologySpreadConstraints[{index}].topologyKey: {key} is {LABELS[key]}"


def _expressions(term: Object, path: str) -> Iterator[str]:
    for index, one in enumerate(term.get("matchExpressions") or ()):
        key = one.get("key")
        if key in LABELS:
            yield f"{path}.matchExpressions[{index}].key: {key} is {LABELS[key]}"


def _annotations(given: Object, path: str) -> Iterator[str]:
    for key in given:
        prefix = key.partition("/")[0] + "/"
        text = _ANNOTATIONS.get(key) or _ANNOTATIONS.get(prefix)
        if text:
            yield f"{path}[{key}]: {text}"


def _volumes(volumes: Iterable[Object], path: str) -> Iterator[str]:
    for index, volume in enumerate(volumes):
        for kind in volume:
            if kind in _VOLUMES:
                yield f"{path}[{index}].{kind}: {_VOLUMES[kind]}"
        limit = (volume.get("emptyDir") or {}).get("sizeLimit")
        if limit is not None:
            yield from _fraction(limit, f"{path}[{index}].emptyDir.sizeLimit")


def _twice(listed: Iterable[Object] | None, field: str, text: str, path: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, one in enumerate(listed or ()):
        value = one.get(field, "")
        if value in seen:
            yield f'{path}[{index}].{field}: {text} "{value}"'
        seen.add(value)


def _pull_secrets(listed: Iterable[Object], path: str) -> Iterator[str]:
    for index, one in enumerate(listed):
        if not one.get("name"):
            yield f'{path}[{index}].name: invalid empty name ""'
    yield from _twice(listed, "name", "duplicate name", path)


def _fractions(amounts: Object, path: str) -> Iterator[str]:
    for name in _BYTES:
        if name in amounts:
            yield from _fraction(amounts[name], f"{path}[{name}]")


def _fraction(amount: str, path: str) -> Iterator[str]:
    if quantities.parse(amount).nanos % quantities.NANOS:
        yield f'{path}: fractional byte value "{amount}" is invalid, must be an integer'


def _grace(spec: Object, path: str) -> Iterator[str]:
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        text = "must be >= 0; negative values are invalid and will be treated as 1"
        yield f"{path}.terminationGracePeriodSeconds: {text}"


def _containers(spec: Object, path: str) -> Iterator[str]:
    for field in ("initContainers", "containers"):
        ports: dict[tuple[str, int, str], str] = {}
        for index, container in enumerate(spec.get(field) or ()):
            here = f"{path}.{field}[{index}]"
            for kind in ("limits", "requests"):
                amounts = (container.get("resources") or {}).get(kind) or {}
                yield from _fractions(amounts, f"{here}.resources.{kind}")
            yield from _environment(container.get("env") or (), f"{here}.env")
            yield from _ports(container.get("ports") or (), f"{here}.ports", ports)


def _environment(variables: Iterable[Object], path: str) -> Iterator[str]:
    """A later definition may build on the earlier one; anything else hides it."""
    seen: set[str] = set()
    variables = list(variables)
    if len({one.get("name") for one in variables}) == len(variables):
        return
    for index, one in enumerate(variables):
        name, value = one.get("name", ""), one.get("value", "")
        reference = f"$({name})"
        hides = one.get("valueFrom") is not None or value == reference or reference not in value
        if name in seen and hides:
            yield f'{path}[{index}]: hides previous definition of "{name}", which may be dropped when using apply'
        seen.add(name)


def _ports(ports: Iterable[Object], path: str, seen: dict[tuple[str, int, str], str]) -> Iterator[str]:
    """Ports that others of the pod have, too. Those with a port of the node are refused instead."""
    for index, port in enumerate(ports):
        if port.get("hostPort"):
            continue
        key = (port.get("protocol") or "TCP", port.get("containerPort", 0), port.get("hostIP", ""))
        if key in seen:
            yield f"{path}[{index}]: duplicate port definition with {seen[key]}"
        seen.setdefault(key, f"{path}[{index}]")
