"""What the kubelet was told, as /configz shows it: a KubeletConfiguration. Pure."""

from steersman.kubelet import qos
from steersman.kubelet.eviction.thresholds import Settings
from steersman.kubelet.options import Options
from steersman.kubelet.topology import cpu_policy, hardware
from steersman.meta import quantities, times
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
            "fileCheckFrequency": times.format_duration(options.static_pods_seconds),
            "syncFrequency": times.format_duration(options.volume_refresh_seconds),
            "nodeStatusUpdateFrequency": times.format_duration(options.node_check_seconds),
            "nodeStatusReportFrequency": times.format_duration(options.node_status_seconds),
            "nodeLeaseDurationSeconds": options.lease_duration_seconds,
            "clusterDomain": options.cluster_domain,
            "clusterDNS": list(options.cluster_dns),
            "resolvConf": str(options.resolv_conf),
            "maxPods": options.pods_max,
            "podPidsLimit": options.pod_pids_max or -1,
            "allowedUnsafeSysctls": list(options.unsafe_sysctls),
            "cgroupDriver": "cgroupfs",
            "singleProcessOOMKill": options.single_process_oom_kill,
            **_own_resources(options),
            "memorySwap": {"swapBehavior": options.swap_behaviour},
            "systemReserved": dict(options.system_reserved),
            "kubeReserved": dict(options.kube_reserved),
            "enforceNodeAllocatable": list(options.enforced),
            "kubeReservedCgroup": options.kube_reserved_group,
            "systemReservedCgroup": options.system_reserved_group,
            **_eviction(options.eviction),
            "imageMinimumGCAge": times.format_duration(options.image_age_least_seconds),
            "imageMaximumGCAge": times.format_duration(options.image_age_most_seconds),
            "imageGCHighThresholdPercent": options.image_high_percent,
            "imageGCLowThresholdPercent": options.image_low_percent,
            "enableSystemLogHandler": options.system_logs is not None,
            "containerLogMaxSize": quantities.of_bytes(options.log_most_bytes),
            "containerLogMaxFiles": options.logs_most,
            "containerLogMaxWorkers": options.log_workers,
            "containerLogMonitorInterval": times.format_duration(options.log_look_seconds),
            **({"memoryThrottlingFactor": options.memory_throttling} if options.memory_throttling else {}),
            "memoryReservationPolicy": options.memory_reservation,
            "seccompDefault": options.seccomp_default,
            "registryPullQPS": options.pulls_per_second,
            "registryBurst": options.pulls_burst,
            "serializeImagePulls": options.pulls_at_once == 1,
            **({"maxParallelImagePulls": options.pulls_at_once} if options.pulls_at_once else {}),
            "imagePullCredentialsVerificationPolicy": options.pull_policy,
            "preloadedImagesVerificationAllowlist": list(options.preloaded_images),
            "crashLoopBackOff": {"maxContainerRestartPeriod": times.format_duration(options.crash_most_seconds)},
            "eventRecordQPS": options.events_per_second,
            "eventBurst": options.events_burst,
            "shutdownGracePeriod": times.format_duration(options.shutdown_grace_seconds),
            "shutdownGracePeriodCriticalPods": times.format_duration(options.shutdown_grace_critical_seconds),
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
        "cpuCFSQuotaPeriod": times.format_duration((options.cpu_quota_period_us or qos.QUOTA_PERIOD_US) / 1_000_000),
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
        "evictionPressureTransitionPeriod": times.format_duration(settings.transition_seconds),
    }
