"""Devices from offer to release, through API server, scheduler and controllers."""

from typing import Any

import pytest

from steersman.testing import Cluster

pytestmark = pytest.mark.slow

OFFER = """
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: gpu}
spec: {selectors: [{cel: {expression: "device.driver == 'gpu.test'"}}]}
---
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: {name: fake2-gpu}
spec:
  driver: gpu.test
  nodeName: fake2
  pool: {name: fake2, generation: 1, resourceSliceCount: 1}
  devices:
  - {name: gpu-0, attributes: {model: {string: small}}}
  - {name: gpu-1, attributes: {model: {string: large}}}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: large}
spec:
  spec:
    devices:
      requests:
      - name: gpu
        exactly:
          deviceClassName: gpu
          selectors: [{cel: {expression: "device.attributes['gpu.test'].model == 'large'"}}]
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec:
  resourceClaims: [{name: gpu, resourceClaimTemplateName: large}]
  containers: [{name: main, image: "localhost/hello:1", resources: {claims: [{name: gpu}]}}]
"""


def test_a_device_goes_from_pod_to_pod():
    with Cluster(nodes=2) as cluster:
        names = sorted(node["metadata"]["name"] for node in cluster.list("nodes"))
        cluster.apply(OFFER.replace("fake2", names[1]))
        cluster.apply(POD.replace("NAME", "first"))
        cluster.wait("pod/first", "Ready")
        assert cluster.get("pod/first")["spec"]["nodeName"] == names[1]
        (claim,) = cluster.list("resourceclaims")
        (result,) = claim["status"]["allocation"]["devices"]["results"]
        assert (result["device"], result["request"]) == ("gpu-1", "gpu")
        assert [one["name"] for one in claim["status"]["reservedFor"]] == ["first"]
        assert (
            cluster.get("pod/first")["status"]["resourceClaimStatuses"][0]["resourceClaimName"]
            == claim["metadata"]["name"]
        )

        cluster.apply(POD.replace("NAME", "second"))
        cluster.wait("pod/second", lambda pod: "cannot allocate all claims" in _message(pod))
        cluster.delete("pod/first")
        cluster.wait("pod/second", "Ready")
        (claim,) = cluster.list("resourceclaims")
        assert [one["name"] for one in claim["status"]["reservedFor"]] == ["second"]
        cluster.delete("pod/second")
        cluster.wait(f"resourceclaim/{claim['metadata']['name']}", "Deleted")


RULE = """
apiVersion: resource.k8s.io/v1
kind: DeviceTaintRule
metadata: {name: broken}
spec:
  deviceSelector: {driver: gpu.test}
  taint: {key: test.example.com/evict, value: now, effect: EFFECT}
"""


def test_a_rule_sends_pods_away_from_a_device():
    with Cluster(nodes=1) as cluster:
        cluster.apply(OFFER.replace("fake2", cluster.list("nodes")[0]["metadata"]["name"]))
        cluster.apply(POD.replace("NAME", "first"))
        cluster.wait("pod/first", "Ready")
        cluster.apply(RULE.replace("EFFECT", "None"))
        cluster.wait("devicetaintrule/broken", lambda rule: _condition(rule) is not None)
        rule = cluster.get("devicetaintrule/broken")
        assert _condition(rule)["message"].startswith(
            "2 published devices selected. 1 allocated device selected. 1 pod would be evicted in 1 namespace if"
        )
        assert rule["spec"]["taint"]["timeAdded"]
        cluster.apply(RULE.replace("EFFECT", "NoExecute"))
        cluster.wait("pod/first", "Deleted")
        told = [event for event in cluster.list("events") if event["reason"] == "DeviceTaintManagerEviction"]
        assert [event["message"] for event in told] == ["Marking for deletion"]
        cluster.apply(POD.replace("NAME", "second"))
        cluster.wait("pod/second", lambda pod: "cannot allocate all claims" in _message(pod))
        cluster.delete("devicetaintrule/broken")
        cluster.wait("pod/second", "Ready")


def _condition(obj: Any) -> Any:
    return next(iter((obj.get("status") or {}).get("conditions") or ()), None)


def _message(pod):
    conditions = (pod or {}).get("status", {}).get("conditions") or ()
    return next((one.get("message", "") for one in conditions if one["type"] == "PodScheduled"), "")
