"""PodSecurityConfiguration of pod-security.admission.config.k8s.io/v1: what namespaces without labels have, and who is exempt."""

import dataclasses
from typing import Any

from steersman.api.pod_security import levels
from steersman.api.pod_security.levels import Policy, Standard
from steersman.meta.objects import Object

API_VERSION, KIND = "pod-security.admission.config.k8s.io/v1", "PodSecurityConfiguration"


@dataclasses.dataclass(frozen=True, slots=True)
class Configuration:
    default: Policy = levels.DEFAULT
    users: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    runtime_classes: frozenset[str] = frozenset()


DEFAULT = Configuration()


def parse(found: Any) -> Configuration:
    """Raises ValueError, which names the field."""
    if not isinstance(found, dict) or (found.get("apiVersion"), found.get("kind")) != (API_VERSION, KIND):
        raise ValueError(f"not a {KIND} of {API_VERSION}")
    exempt: Object = found.get("exemptions") or {}
    defaults: Object = found.get("defaults") or {}
    return Configuration(
        Policy(*(_standard(defaults, mode) for mode in Policy._fields)),
        users=frozenset(exempt.get("usernames") or ()),
        namespaces=frozenset(exempt.get("namespaces") or ()),
        runtime_classes=frozenset(exempt.get("runtimeClasses") or ()),
    )


def _standard(defaults: Object, mode: str) -> Standard:
    level = defaults.get(mode) or levels.PRIVILEGED
    version = defaults.get(f"{mode}-version") or levels.LATEST
    if level not in levels.LEVELS:
        raise ValueError(f'defaults.{mode}: Invalid value: "{level}": must be one of {", ".join(levels.LEVELS)}')
    if not levels.is_version(version):
        raise ValueError(f'defaults.{mode}-version: Invalid value: "{version}": must be "latest" or "v1.x"')
    return Standard(level, version)
