"""A KubeletConfiguration file becomes options, /configz tells them again, and what is not obeyed is refused."""

from pathlib import Path
from typing import Any

import pytest

from steersman.kubelet import configuration, configuration_file
from steersman.kubelet.eviction.thresholds import Malformed
from steersman.kubelet.options import Options

HEAD = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}
FIELDS: dict[str, Any] = {
    "evictionHard": {"memory.available": "200Mi"},
    "evictionSoft": {"memory.available": "1Gi"},
    "evictionSoftGracePeriod": {"memory.available": "1m30s"},
    "evictionMinimumReclaim": {"memory.available": "10Mi"},
    "evictionMaxPodGracePeriod": 45,
    "evictionPressureTransitionPeriod": "30s",
    "systemReserved": {"cpu": "500m", "memory": "256Mi"},
    "maxPods": 20,
    "podPidsLimit": 64,
    "memorySwap": {"swapBehavior": "LimitedSwap"},
    "allowedUnsafeSysctls": ["kernel.msg*"],
    "containerLogMaxSize": "1Mi",
    "containerLogMaxFiles": 3,
    "containerLogMaxWorkers": 2,
    "containerLogMonitorInterval": "4s",
    "registryPullQPS": 3,
    "registryBurst": 7,
    "memoryThrottlingFactor": 0.8,
    "memoryReservationPolicy": "TieredReservation",
    "imageGCHighThresholdPercent": 70,
    "imageGCLowThresholdPercent": 60,
    "imageMinimumGCAge": "1m0s",
    "seccompDefault": True,
    "serializeImagePulls": False,
    "maxParallelImagePulls": 5,
    "imagePullCredentialsVerificationPolicy": "AlwaysVerify",
    "preloadedImagesVerificationAllowlist": ["registry.example/*"],
    "crashLoopBackOff": {"maxContainerRestartPeriod": "30s"},
    "shutdownGracePeriod": "20s",
    "shutdownGracePeriodCriticalPods": "5s",
}


def options(**fields: Any) -> Options:
    return configuration_file.with_configuration(Options(Path()), {**HEAD, **fields})


def test_what_was_said_is_told_again() -> None:
    told = configuration.configz(options(**FIELDS))["kubeletconfig"]
    assert {name: told[name] for name in FIELDS} == FIELDS


@pytest.mark.parametrize(
    ("fields", "expect"),
    [
        ({"colour": "red"}, 'field "colour" is unknown, or cannot be chosen here'),
        ({"maxPods": "many"}, "maxPods: invalid value 'many': must be at least 1"),
        ({"cpuManagerPolicy": "fair"}, "cpuManagerPolicy: invalid value 'fair': supported values: none, static"),
        ({"imageGCHighThresholdPercent": 80}, "imageGCLowThresholdPercent 80 must be less than"),
        ({"evictionSoft": {"memory.available": "1Gi"}}, "grace period must be specified for the soft eviction"),
        ({"shutdownGracePeriod": "1s"}, "shutdownGracePeriodCriticalPods must be <= shutdownGracePeriod"),
        ({"maxParallelImagePulls": 2}, "maxParallelImagePulls cannot be larger than 1 unless SerializeImagePulls"),
        ({"maxParallelImagePulls": 0}, "maxParallelImagePulls 0 must be a positive number"),
        (
            {"crashLoopBackOff": {"maxContainerRestartPeriod": "301s"}},
            "MaxContainerRestartPeriod (got: 301 seconds) must be set between 1s and 300s",
        ),
        (
            {"containerLogMonitorInterval": "2s"},
            "containerLogMonitorInterval: invalid value '2s': must be a positive time duration greater than or equal to 3s",
        ),
        ({"containerLogMaxWorkers": 0}, "containerLogMaxWorkers: invalid value 0: must be at least 1"),
        ({"registryPullQPS": -1}, "registryPullQPS: invalid value -1: must be at least 0"),
        (
            {"memoryThrottlingFactor": 1.5},
            "memoryThrottlingFactor 1.5 must be greater than 0 and less than or equal to 1.0",
        ),
        (
            {"memoryReservationPolicy": "All"},
            "memoryReservationPolicy 'All' must be one of ['None', 'TieredReservation']",
        ),
        (
            {"memoryThrottlingFactor": 0.8, "featureGates": {"MemoryQoS": False}},
            "memoryThrottlingFactor is specified but MemoryQoS feature gate is disabled",
        ),
        ({"crashLoopBackOff": "slow"}, "crashLoopBackOff: 'str' object"),
        ({"fileCheckFrequency": "0s"}, "fileCheckFrequency: invalid value '0s': must be greater than zero"),
        ({"seccompDefault": "yes"}, "seccompDefault: invalid value 'yes': must be true or false"),
        ({"syncFrequency": "soon"}, "syncFrequency: invalid value 'soon': not a duration"),
    ],
)
def test_refused(fields: dict[str, Any], expect: str) -> None:
    with pytest.raises(Malformed) as refused:
        options(**fields)
    assert expect in str(refused.value)


def test_memory_qos_can_be_switched_off_whatever_its_former_default_says() -> None:
    made = options(memoryThrottlingFactor=0.9, memoryReservationPolicy="None", featureGates={"MemoryQoS": False})
    assert (made.memory_throttling, made.memory_reservation) == (0.0, "None")


REDUCED = {"ReduceDefaultCrashLoopBackOffDecay": True}


@pytest.mark.parametrize(
    ("fields", "at_once", "crashes"),
    [
        ({}, 4, (10, 300)),
        ({"serializeImagePulls": True}, 1, (10, 300)),
        ({"serializeImagePulls": True, "maxParallelImagePulls": 1}, 1, (10, 300)),
        ({"serializeImagePulls": False}, 0, (10, 300)),
        ({"crashLoopBackOff": {"maxContainerRestartPeriod": "1m"}}, 4, (10, 60)),
        ({"crashLoopBackOff": {"maxContainerRestartPeriod": "1s"}}, 4, (1, 1)),
        ({"featureGates": REDUCED}, 4, (1, 60)),
        ({"featureGates": REDUCED, "crashLoopBackOff": {"maxContainerRestartPeriod": "300s"}}, 4, (1, 300)),
    ],
)
def test_pulls_and_crashes(fields: dict[str, Any], at_once: int, crashes: tuple[float, float]) -> None:
    made = options(**fields)
    assert (made.pulls_at_once, (made.crash_first_seconds, made.crash_most_seconds)) == (at_once, crashes)


def test_defaults_stay_where_they_are_to_be_merged() -> None:
    hard = options(evictionHard={"memory.available": "1Gi"}, mergeDefaultEvictionSettings=True).eviction.hard
    assert (hard["memory.available"], hard["nodefs.available"]) == ("1Gi", "10%")


def test_a_folder_of_parts(tmp_path: Path) -> None:
    """Upstream's `kubelet_config_dir_test.go`."""
    head = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
    with pytest.raises(Malformed, match=r"no \*\.conf file in it"):
        configuration_file.check(tmp_path)
    parts = {
        "10-first.conf": "maxPods: 5\nsystemReserved: {memory: 1Gi, cpu: 100m}\nallowedUnsafeSysctls: [a.b, c.d]\n"
        "shutdownGracePeriodByPodPriority: [{priority: 1, shutdownGracePeriodSeconds: 60}]\n",
        "20-second.conf": "systemReserved: {memory: 2Gi}\nallowedUnsafeSysctls: [e.f]\nimageMinimumGCAge: 0s\n"
        "shutdownGracePeriodByPodPriority: [{priority: 6, shutdownGracePeriodSeconds: 30}]\n",
        "30-not-this.yaml": "maxPods: 7\n",
    }
    for name, text in parts.items():
        (tmp_path / name).write_text(head + text)
    made = configuration_file.with_configuration(Options(Path()), configuration_file.read(tmp_path))
    assert made.pods_max == 5
    assert made.system_reserved == {"memory": "2Gi", "cpu": "100m"}
    assert made.unsafe_sysctls == ("e.f",)
    assert made.shutdown_by_priority == ((6, 30.0),)
    assert made.image_age_least_seconds == 0
    assert made.volume_refresh_seconds == 60, "what nobody says stays as it is"
    (tmp_path / "40-headless.conf").write_text("maxPods: 9\n")
    with pytest.raises(Malformed, match="not a KubeletConfiguration"):
        configuration_file.check(tmp_path)


def test_files(tmp_path: Path) -> None:
    (tmp_path / "good").write_text(
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 3\n"
    )
    configuration_file.check(tmp_path / "good")
    for name, text in (("pod", "apiVersion: v1\nkind: Pod\n"), ("list", "- 1\n"), ("broken", "a: [\n")):
        (tmp_path / name).write_text(text)
        with pytest.raises(Malformed):
            configuration_file.check(tmp_path / name)


# --- processors and memory of containers' own --------------------------------------------------------------------------


def test_own_resources_as_configured() -> None:
    made = options(
        cpuManagerPolicy="static",
        cpuManagerPolicyOptions={"full-pcpus-only": "true", "strict-cpu-reservation": "true"},
        reservedSystemCPUs="0-1",
        kubeReserved={"cpu": "500m", "memory": "1Gi"},
        memoryManagerPolicy="Static",
        reservedMemory=[{"numaNode": 0, "limits": {"memory": "1124Mi"}}],
        topologyManagerPolicy="single-numa-node",
        topologyManagerScope="pod",
        topologyManagerPolicyOptions={"prefer-closest-numa-nodes": "true", "max-allowable-numa-nodes": "9"},
        cpuCFSQuotaPeriod="20ms",
    )
    assert (made.cpu_options.full_cores, made.cpu_options.strict_reservation) == (True, True)
    assert (dict(made.system_reserved), dict(made.kube_reserved)) == ({"cpu": "2"}, {"memory": "1Gi"})
    assert made.reserved_memory == {0: {"memory": 1124 << 20}}
    assert made.topology == ("single-numa-node", "pod", True, 9)
    assert made.cpu_quota_period_us == 20_000
    shown = configuration.configz(made)["kubeletconfig"]
    assert shown["reservedSystemCPUs"] == "0-1"
    assert shown["reservedMemory"] == [{"numaNode": 0, "limits": {"memory": "1124Mi"}}]
    assert options(cpuCFSQuota=False, cpuCFSQuotaPeriod="20ms").cpu_quota_period_us == 0


STATIC: dict[str, Any] = {"cpuManagerPolicy": "static", "kubeReserved": {"cpu": "1"}}


@pytest.mark.parametrize(
    ("found", "wish"),
    [
        ({"cpuManagerPolicy": "static"}, "kubereserved.cpu to be greater than zero"),
        ({"cpuManagerPolicyOptions": {"full-pcpus-only": "true"}}, "the policy none has no options"),
        ({**STATIC, "cpuManagerPolicyOptions": {"fast": "true"}}, 'unknown CPU Manager Policy option: "fast"'),
        ({**STATIC, "cpuManagerPolicyOptions": {"full-pcpus-only": "maybe"}}, 'bad value for option "full-pcpus-only"'),
        (
            {**STATIC, "cpuManagerPolicyOptions": {"align-by-socket": "true"}},
            'Alpha-level Options not enabled, but option "align-by-socket" provided',
        ),
        (
            {
                **STATIC,
                "cpuManagerPolicyOptions": {
                    "distribute-cpus-across-numa": "true",
                    "prefer-align-cpus-by-uncorecache": "true",
                },
            },
            "can not be used at the same time",
        ),
        (
            {
                **STATIC,
                "featureGates": {"CPUManagerPolicyAlphaOptions": True},
                "cpuManagerPolicyOptions": {"align-by-socket": "true"},
                "topologyManagerPolicy": "single-numa-node",
            },
            "single-numa-node policy is incompatible",
        ),
        ({"featureGates": {"Everything": True}}, "unrecognized feature gate: Everything"),
        ({"topologyManagerPolicy": "loose"}, "supported values: none, best-effort"),
        ({"topologyManagerPolicyOptions": {"max-allowable-numa-nodes": "4"}}, "should not be less than 8"),
        ({"reservedMemory": [{"numaNode": 0, "limits": {"cpu": "1"}}]}, "only memory and hugepages are"),
        ({"reservedMemory": [{"numaNode": 0, "limits": {"memory": "0"}}]}, "must be greater than zero"),
        ({"cpuCFSQuotaPeriod": "2s"}, "must be between 1ms and 1s"),
        ({"reservedSystemCPUs": "a"}, "reservedSystemCPUs"),
    ],
)
def test_own_resources_that_cannot_be(found: dict[str, Any], wish: str) -> None:
    with pytest.raises(Malformed, match=wish):
        options(**found)
