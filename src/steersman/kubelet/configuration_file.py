"""What a KubeletConfiguration file (`--kubelet-config`) says, as options. Pure, but for `read`.

A field that this kubelet does not obey is refused rather than passed over. Source of names, units and defaults:
kubelet.config.k8s.io/v1beta1.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from steersman.api.patches import merge_patch
from steersman.kubelet import joint_settings, pulled_images, resource_settings
from steersman.kubelet.eviction import thresholds
from steersman.kubelet.eviction.thresholds import Malformed
from steersman.kubelet.options import Options
from steersman.meta import quantities, times
from steersman.meta.objects import Object

API_VERSION, KIND = "kubelet.config.k8s.io/v1beta1", "KubeletConfiguration"


def read(path: str | Path) -> Object:
    """Of a folder, its `*.conf` files in the order of their names, each over those before it (upstream's --config-dir): maps are
    merged, lists replaced. Raises Malformed, OSError."""
    if not Path(path).is_dir():
        return _read_file(path)
    found: Object = {}
    for one in sorted(Path(path).glob("*.conf")):
        found = merge_patch.apply(found, _read_file(one))
    if not found:
        raise Malformed(f"{path}: no *.conf file in it")
    return found


def _read_file(path: str | Path) -> Object:
    try:
        found = yaml.safe_load(Path(path).read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise Malformed(f"{path}: {problem}") from problem
    if not isinstance(found, dict) or (found.get("apiVersion"), found.get("kind")) != (API_VERSION, KIND):
        raise Malformed(f"{path}: not a {KIND} of {API_VERSION}")
    return found


def check(path: str | Path) -> None:
    """Raises Malformed, OSError."""
    with_configuration(Options(Path()), read(path))


def with_configuration(options: Options, found: Object) -> Options:
    """Raises Malformed, which names the field."""
    fields: dict[str, Any] = {}
    eviction: dict[str, Any] = {}
    for name, value in found.items():
        if name in (*ELSEWHERE, *joint_settings.FIELDS) or name in resource_settings.FIELDS:
            continue
        if name not in FIELDS and name not in EVICTION:
            raise Malformed(f'field "{name}" is unknown, or cannot be chosen here')
        attribute, convert = FIELDS.get(name) or EVICTION[name]
        try:
            (fields if name in FIELDS else eviction)[attribute] = convert(value)
        except (ValueError, TypeError, KeyError, AttributeError) as problem:
            raise Malformed(f"{name}: invalid value {value!r}: {problem}") from problem
    fields |= joint_settings.read(found)
    if found.get("mergeDefaultEvictionSettings") and "hard" in eviction:
        eviction["hard"] = {**thresholds.HARD_DEFAULTS, **eviction["hard"]}
    settings = dataclasses.replace(options.eviction, **eviction)
    settings.thresholds()
    made = dataclasses.replace(options, eviction=settings, **fields)
    made = resource_settings.checked(resource_settings.read(made, found))
    if made.image_low_percent >= made.image_high_percent:
        raise Malformed(
            f"imageGCLowThresholdPercent {made.image_low_percent} must be less than "
            f"imageGCHighThresholdPercent {made.image_high_percent}"
        )
    if made.shutdown_grace_critical_seconds > made.shutdown_grace_seconds:
        raise Malformed("shutdownGracePeriodCriticalPods must be <= shutdownGracePeriod")
    return made


def _texts(value: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(one) for key, one in value.items()}


def _amounts(value: Mapping[str, Any]) -> dict[str, str]:
    return {key: quantities.canonical(one) for key, one in _texts(value).items()}


def _seconds(value: object) -> float:
    found = times.parse_duration(str(value))
    if found < 0:
        raise ValueError("must not be negative")
    return found


def _period(value: object) -> float:
    if not (found := _seconds(value)):
        raise ValueError("must be greater than zero")
    return found


def _at_least(least: float, value: object) -> float:
    if (found := _seconds(value)) < least:
        raise ValueError(f"must be a positive time duration greater than or equal to {least:g}s")
    return found


def _whole(least: int, most: int = 1 << 31) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"must be between {least} and {most}" if most < 1 << 31 else f"must be at least {least}")
        return value

    return read


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _one_of(*known: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in known:
            raise ValueError(f"supported values: {', '.join(known)}")
        return str(value)

    return read


def _swap(value: Mapping[str, Any]) -> str:
    return _one_of("NoSwap", "LimitedSwap")(value.get("swapBehavior") or "NoSwap")


def _by_priority(value: list[Mapping[str, Any]]) -> tuple[tuple[int, float], ...]:
    return tuple((int(one["priority"]), float(one["shutdownGracePeriodSeconds"])) for one in value)


ELSEWHERE = ("apiVersion", "kind", "mergeDefaultEvictionSettings")
# Field → the option it is, and how it is read.
FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "systemReserved": ("system_reserved", _amounts),
    "kubeReserved": ("kube_reserved", _amounts),
    "maxPods": ("pods_max", _whole(1)),
    "podPidsLimit": ("pod_pids_max", lambda value: max(0, _whole(-1)(value))),
    "memorySwap": ("swap_behaviour", _swap),
    "allowedUnsafeSysctls": ("unsafe_sysctls", lambda value: tuple(map(str, value))),
    "imageMinimumGCAge": ("image_age_least_seconds", _seconds),
    "imageMaximumGCAge": ("image_age_most_seconds", _seconds),
    "imageGCHighThresholdPercent": ("image_high_percent", _whole(0, 100)),
    "imageGCLowThresholdPercent": ("image_low_percent", _whole(0, 100)),
    "enableSystemLogHandler": ("system_logs", lambda value: Options(Path()).system_logs if value else None),
    "containerLogMaxSize": ("log_most_bytes", lambda value: int(quantities.whole(value))),
    "containerLogMaxFiles": ("logs_most", _whole(2)),
    "containerLogMaxWorkers": ("log_workers", _whole(1)),
    "containerLogMonitorInterval": ("log_look_seconds", lambda value: _at_least(3.0, value)),
    "registryPullQPS": ("pulls_per_second", _whole(0)),
    "registryBurst": ("pulls_burst", _whole(0)),
    "seccompDefault": ("seccomp_default", _truth),
    "imagePullCredentialsVerificationPolicy": ("pull_policy", _one_of(*pulled_images.POLICIES)),
    "preloadedImagesVerificationAllowlist": ("preloaded_images", lambda value: tuple(map(str, value))),
    "eventRecordQPS": ("events_per_second", _whole(0)),
    "eventBurst": ("events_burst", _whole(0)),
    "shutdownGracePeriod": ("shutdown_grace_seconds", _seconds),
    "shutdownGracePeriodCriticalPods": ("shutdown_grace_critical_seconds", _seconds),
    "shutdownGracePeriodByPodPriority": ("shutdown_by_priority", _by_priority),
    "nodeStatusReportFrequency": ("node_status_seconds", _period),
    "syncFrequency": ("volume_refresh_seconds", _period),
    "fileCheckFrequency": ("static_pods_seconds", _period),
    "registerWithTaints": ("taints", lambda value: tuple(dict(one) for one in value)),
}
EVICTION: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "evictionHard": ("hard", _texts),
    "evictionSoft": ("soft", _texts),
    "evictionSoftGracePeriod": ("soft_grace_periods", _texts),
    "evictionMinimumReclaim": ("minimum_reclaims", _texts),
    "evictionMaxPodGracePeriod": ("pod_grace_most_seconds", _whole(0)),
    "evictionPressureTransitionPeriod": ("transition_seconds", _seconds),
}
