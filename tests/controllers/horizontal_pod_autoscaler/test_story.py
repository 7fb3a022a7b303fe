"""An autoscaler in a whole cluster: kubelets measure, the metrics API tells, the Deployment is scaled."""

import pytest

from steersman.api import kinds
from steersman.testing import Cluster

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {fake.steersman.dev/cpu: "400"}}
    spec: {containers: [{name: main, image: "localhost/hello:1", resources: {requests: {cpu: 500m}}}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 4
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 40}}}]
"""


def conditions(autoscaler):
    return {one["type"]: (one["status"], one["reason"]) for one in autoscaler["status"]["conditions"]}


@pytest.mark.slow
def test_it_follows_the_load():
    with Cluster(nodes=2, virtual_time=True) as cluster:
        cluster.apply(WEB)
        cluster.advance(minutes=8)
        found = cluster.get("horizontalpodautoscaler", "web")
        assert found["status"]["currentReplicas"] == 4
        assert found["status"]["currentMetrics"][0]["resource"]["current"]["averageUtilization"] == 80
        assert conditions(found)["ScalingLimited"] == ("True", "TooManyReplicas")
        assert cluster.get("deployment", "web")["status"]["readyReplicas"] == 4
        reasons = [event["reason"] for event in cluster.events() if event["involvedObject"]["name"] == "web"]
        assert "SuccessfulRescale" in reasons

        idle = {"spec": {"template": {"metadata": {"annotations": {"fake.steersman.dev/cpu": "10"}}}}}
        cluster.client.patch("deployment/web", idle)
        cluster.advance(minutes=4)
        found = cluster.get("horizontalpodautoscaler", "web")
        assert conditions(found)["AbleToScale"] == ("True", "ScaleDownStabilized")
        cluster.advance(minutes=8)
        assert cluster.get("deployment", "web")["spec"]["replicas"] == 1
        old = cluster.client.get(kinds.HORIZONTAL_POD_AUTOSCALER_V1, "web")
        assert old["spec"]["targetCPUUtilizationPercentage"] == 40
        assert old["status"]["currentCPUUtilizationPercentage"] == 2


def test_custom_metrics_that_nobody_serves():
    with Cluster(nodes=1, virtual_time=True) as cluster:
        cluster.apply(WEB)
        metric = {
            "type": "Pods",
            "pods": {"metric": {"name": "hits"}, "target": {"type": "AverageValue", "averageValue": "1"}},
        }
        cluster.client.patch("horizontalpodautoscaler/web", {"spec": {"metrics": [metric]}})
        cluster.advance(minutes=1)
        found = cluster.get("horizontalpodautoscaler", "web")
        [active] = [one for one in found["status"]["conditions"] if one["type"] == "ScalingActive"]
        assert active["reason"] == "FailedGetPodsMetric"
        assert active["message"] == (
            "the HPA was unable to compute the replica count: failed to get pods metric value: unable to get metric hits: "
            "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered"
        )
