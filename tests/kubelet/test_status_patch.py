"""What the kubelet sends of a pod's status, as the API server merges it."""

from steersman.api import kinds
from steersman.api.patches import strategic_merge
from steersman.kubelet import status


def test_a_pod_whose_node_restarted_has_its_new_address_only():
    was = {
        "phase": "Running",
        "podIP": "10.244.0.3",
        "podIPs": [{"ip": "10.244.0.3"}],
        "hostIPs": [{"ip": "172.30.0.2"}],
    }
    now = {**was, "podIP": "10.244.0.6", "podIPs": [{"ip": "10.244.0.6"}], "hostIPs": [{"ip": "172.30.0.9"}]}
    patch = {"status": status.patch(was, now)}
    merged = strategic_merge.apply(kinds.POD, {"status": was}, patch)
    assert merged["status"] == now
