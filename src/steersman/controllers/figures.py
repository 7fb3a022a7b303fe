"""What controllers tell monitoring: their queues, under upstream's names.

Source: component-base/metrics/prometheus/workqueue; names of queues as upstream's controllers call theirs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from steersman.controllers.loop import Loop
from steersman.meta.exposition import Sample, histogram

# Where upstream's queue is called otherwise than its controller's events.
_QUEUES = {
    "deployment-controller": "deployment",
    "replicaset-controller": "replicaset",
    "replication-controller": "replicationmanager",
    "statefulset-controller": "statefulset",
    "daemonset-controller": "daemonset",
    "job-controller": "job",
    "cronjob-controller": "cronjob",
    "endpoint-slice-controller": "endpoint_slice",
    "endpoint-slice-mirroring-controller": "endpoint_slice_mirroring",
    "garbage-collector-controller": "garbage_collector_attempt_to_delete",
    "horizontal-pod-autoscaler": "horizontalpodautoscaler",
    "namespace-controller": "namespace",
    "node-controller": "node_lifecycle_controller",
    "node-ipam-controller": "node",
    "persistentvolume-controller": "claims",
    "pod-garbage-collector-controller": "orphaned_pods_nodes",
    "pv-protection-controller": "pvprotection",
    "pvc-protection-controller": "pvcprotection",
    "resourcequota-controller": "resourcequota_primary",
    "root-ca-certificate-publisher-controller": "root_ca_cert_publisher",
    "service-account-controller": "serviceaccount",
    "service-controller": "service",
    "serviceaccount-token-controller": "serviceaccount_tokens_secret",
    "clusterrole-aggregation-controller": "ClusterRoleAggregator",
    "taint-eviction-controller": "noexec_taint_pod",
    "resource_claim": "resource_claim",
    "volume_expand": "volume_expand",
    "attachdetach-controller": "pvcs",
}
_Value = Callable[[Loop], float]
_COUNTED: Mapping[str, tuple[str, str, _Value]] = {
    "workqueue_adds_total": (
        "counter",
        "[BETA] Total number of adds handled by workqueue",
        lambda loop: loop.queue.adds,
    ),
    "workqueue_depth": ("gauge", "[BETA] Current depth of workqueue", lambda loop: len(loop.queue)),
    "workqueue_longest_running_processor_seconds": (
        "gauge",
        "[BETA] How many seconds has the longest running processor for workqueue been running.",
        lambda loop: max(loop.queue.unfinished_seconds(), default=0.0),
    ),
    "workqueue_retries_total": (
        "counter",
        "[BETA] Total number of retries handled by workqueue",
        lambda loop: loop.queue.retries,
    ),
    "workqueue_unfinished_work_seconds": (
        "gauge",
        "[BETA] How many seconds of work has done that is in progress and hasn't been observed by work_duration. Large values "
        "indicate stuck threads. One can deduce the number of stuck threads by observing the rate at which this increases.",
        lambda loop: sum(loop.queue.unfinished_seconds()),
    ),
}
_WAITS = "[BETA] How long in seconds an item stays in workqueue before being requested."
_WORKS = "[BETA] How long in seconds processing an item from workqueue takes."


def samples(loops: Iterable[Loop]) -> Iterator[Sample]:
    named = [({"name": _QUEUES.get(loop.controller.name, loop.controller.name)}, loop) for loop in loops]
    for name, (kind, text, value) in _COUNTED.items():
        for labels, loop in named:
            yield Sample(name, value(loop), labels, kind, text)
    for labels, loop in named:
        yield from histogram("workqueue_queue_duration_seconds", _WAITS, labels, loop.queue.waits)
    for labels, loop in named:
        yield from histogram("workqueue_work_duration_seconds", _WORKS, labels, loop.queue.works)
