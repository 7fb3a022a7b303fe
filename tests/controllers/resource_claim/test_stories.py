"""Devices from offer to release, through API server, scheduler and controllers."""

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


def _message(pod):
    conditions = (pod or {}).get("status", {}).get("conditions") or ()
    return next((one.get("message", "") for one in conditions if one["type"] == "PodScheduled"), "")
