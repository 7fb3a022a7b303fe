import pytest

from steersman.api import kinds
from tests.api import builders

POLICIES = [
    pytest.param({}, ["Ingress"], id="nothing said"),
    pytest.param({"ingress": [{}]}, ["Ingress"], id="ingress"),
    pytest.param({"egress": [{}]}, ["Ingress", "Egress"], id="egress"),
    pytest.param({"egress": [], "ingress": []}, ["Ingress"], id="empty lists"),
    pytest.param({"policyTypes": ["Egress"]}, ["Egress"], id="said"),
]


@pytest.mark.parametrize(("spec", "types"), POLICIES)
def test_what_a_policy_is_about(spec, types):
    stored = builders.stored(kinds.NETWORK_POLICY, builders.of_kind(kinds.NETWORK_POLICY, spec=spec))
    assert stored["spec"]["policyTypes"] == types
    assert stored["spec"]["podSelector"] == {}


def test_ports_are_tcp():
    policy = builders.of_kind(kinds.NETWORK_POLICY, spec={"ingress": [{"ports": [{"port": 80}]}]})
    stored = builders.stored(kinds.NETWORK_POLICY, policy)
    assert stored["spec"]["ingress"][0]["ports"] == [{"port": 80, "protocol": "TCP"}]


def test_parameters_of_a_class_are_the_clusters():
    spec = {"controller": "a.b/c", "parameters": {"kind": "P", "name": "p"}}
    stored = builders.stored(kinds.INGRESS_CLASS, builders.of_kind(kinds.INGRESS_CLASS, spec=spec))
    assert stored["spec"]["parameters"]["scope"] == "Cluster"
