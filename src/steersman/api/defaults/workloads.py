"""Defaults of Deployments, ReplicaSets and PodTemplates."""

from steersman.api.defaults import pods
from steersman.meta.objects import Object

PROGRESS_DEADLINE_SECONDS = 600
REVISIONS_KEPT = 10
ROLLING = "25%"  # of maxSurge and maxUnavailable


def default_deployment(deployment: Object) -> None:
    spec = deployment.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", ROLLING)
        rolling.setdefault("maxSurge", ROLLING)
    spec.setdefault("revisionHistoryLimit", REVISIONS_KEPT)
    spec.setdefault("progressDeadlineSeconds", PROGRESS_DEADLINE_SECONDS)
    pods.default_template(spec.setdefault("template", {}))
    deployment.setdefault("status", {})


def default_replica_set(replica_set: Object) -> None:
    spec = replica_set.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    if "template" in spec:
        pods.default_template(spec["template"])
    replica_set.setdefault("status", {}).setdefault("replicas", 0)


def default_pod_template(pod_template: Object) -> None:
    pods.default_template(pod_template.setdefault("template", {}))
