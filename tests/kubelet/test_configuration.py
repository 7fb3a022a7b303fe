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
    "imageGCHighThresholdPercent": 70,
    "imageGCLowThresholdPercent": 60,
    "imageMinimumGCAge": "1m0s",
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
        ({"syncFrequency": "soon"}, "syncFrequency: invalid value 'soon': not a duration"),
    ],
)
def test_refused(fields: dict[str, Any], expect: str) -> None:
    with pytest.raises(Malformed) as refused:
        options(**fields)
    assert expect in str(refused.value)


def test_defaults_stay_where_they_are_to_be_merged() -> None:
    hard = options(evictionHard={"memory.available": "1Gi"}, mergeDefaultEvictionSettings=True).eviction.hard
    assert (hard["memory.available"], hard["nodefs.available"]) == ("1Gi", "10%")


def test_files(tmp_path: Path) -> None:
    (tmp_path / "good").write_text(
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 3\n"
    )
    configuration_file.check(tmp_path / "good")
    for name, text in (("pod", "apiVersion: v1\nkind: Pod\n"), ("list", "- 1\n"), ("broken", "a: [\n")):
        (tmp_path / name).write_text(text)
        with pytest.raises(Malformed):
            configuration_file.check(tmp_path / name)
