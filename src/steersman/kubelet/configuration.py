"""What the kubelet was told, as /configz shows it: a KubeletConfiguration. Pure."""

from steersman.kubelet import qos
from steersman.kubelet.eviction.thresholds import Settings
from steersman.kubelet.options import Options
from steersman.kubelet.topology import cpu_policy, hardware
from steersman.meta import quantities
from steersman.meta.objects import Object


def configz(options: Options) -> Object:
    """Only what this kubelet obeys; source of names and units: kubelet.config.k8s.io/v1beta1."""
    return {
        "kubeletconfig": {
            "kind": "KubeletConfiguration",
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "address": options.address,
            "port": options.port,
            "staticPodPath": str(options.static_pods or ""),
            "fileCheckFrequency": _duration(options.static_pods_seconds),
            "syncFrequency": _duration(options.volume_refresh_seconds),
            "nodeStatusUpdateFrequency": _duration(options.node_check_seconds),
            "nodeStatusReportFrequency": _duration(options.node_status_seconds),
            "nodeLeaseDurationSeconds": options.lease_duration_seconds,
            "clusterDomain": options.cluster_domain,
            "clusterDNS": list(options.cluster_dns),
            "resolvConf": str(options.resolv_conf),
            "maxPods": options.pods_max,
            "podPidsLimit": options.pod_pids_max or -1,
            "allowedUnsafeSysctls": list(options.unsafe_sysctls),
            "cgroupDriver": "cgroupfs",
            **_own_resources(options),
            "memorySwap": {"swapBehavior": options.swap_behaviour},
            "systemReserved": dict(options.system_reserved),
            "kubeReserved": dict(options.kube_reserved),
            "enforceNodeAllocatable": ["pods"],
            **_eviction(options.eviction),
            "imageMinimumGCAge": _duration(options.image_age_least_seconds),
            "imageMaximumGCAge": _duration(options.image_age_most_seconds),
            "imageGCHighThresholdPercent": options.image_high_percent,
            "imageGCLowThresholdPercent": options.image_low_percent,
            "enableSystemLogHandler": options.system_logs is not None,
            "containerLogMaxSize": quantities.of_bytes(options.log_most_bytes),
            "containerLogMaxFiles": options.logs_most,
            "containerLogMonitorInterval": _duration(options.log_look_seconds),
            "eventRecordQPS": options.events_per_second,
            "eventBurst": options.events_burst,
            "shutdownGracePeriod": _duration(options.shutdown_grace_seconds),
            "shutdownGracePeriodCriticalPods": _duration(options.shutdown_grace_critical_seconds),
        }
    }


def _own_resources(options: Options) -> Object:
    """Processors and memory that containers have for themselves, and processor time."""
    chosen = {name: "true" for name, field in cpu_policy.OPTIONS.items() if getattr(options.cpu_options, field)}
    found: Object = {
        "cpuManagerPolicy": options.cpu_policy,
        "memoryManagerPolicy": options.memory_policy,
        "topologyManagerPolicy": options.topology.policy,
        "topologyManagerScope": options.topology.scope,
        "cpuCFSQuota": options.cpu_quota_period_us > 0,
        "cpuCFSQuotaPeriod": _duration((options.cpu_quota_period_us or qos.QUOTA_PERIOD_US) / 1_000_000),
    }
    if chosen:
        found["cpuManagerPolicyOptions"] = chosen
    if options.reserved_cpus:
        found["reservedSystemCPUs"] = hardware.show(options.reserved_cpus)
    if options.reserved_memory:
        found["reservedMemory"] = [
            {"numaNode": node, "limits": {name: quantities.of_bytes(size) for name, size in amounts.items()}}
            for node, amounts in sorted(options.reserved_memory.items())
        ]
    return found


def _eviction(settings: Settings) -> Object:
    soft = {
        "evictionSoft": dict(settings.soft),
        "evictionSoftGracePeriod": dict(settings.soft_grace_periods),
        "evictionMinimumReclaim": dict(settings.minimum_reclaims),
    }
    return {
        "evictionHard": dict(settings.hard),
        **{name: found for name, found in soft.items() if found},
        "evictionMaxPodGracePeriod": settings.pod_grace_most_seconds,
        "evictionPressureTransitionPeriod": _duration(settings.transition_seconds),
    }


def _duration(seconds: float) -> str:
    """Go's way: 1m30s, 5m0s, 1.5s."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
