"""Where every node and service of a cluster is: follows from its number and the nodes' order, so it is the same every time."""

import datetime
import ipaddress

import pytest
from cryptography import x509

from steersman.cluster import node_process, plan
from steersman.cluster.options import Options
from steersman.cluster.paths import Paths

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture
def made(tmp_path):
    def make(address="172.30.0.1", **options):
        paths = Paths(tmp_path / "data", tmp_path / "run")
        paths.prepare()
        return plan.make(Options(**options), paths, address, NOW)

    return make


def test_the_first_cluster_has_the_addresses_everyone_expects(made):
    found = made(nodes=2, network_number=0)
    assert [(node.name, node.address, node.pod_cidr) for node in found.nodes] == [
        ("node1", "172.30.0.2", "10.244.0.0/24"),
        ("node2", "172.30.0.3", "10.244.1.0/24"),
    ]
    assert (found.pod_network, found.service_network, found.dns_address) == (
        "10.244.0.0/16",
        "10.96.0.0/16",
        "10.96.0.10",
    )


def test_clusters_of_one_machine_share_no_address(made):
    networks = []
    for number in range(32):
        found = made(network_number=number, nodes=1)
        networks += [ipaddress.ip_network(found.pod_network), ipaddress.ip_network(found.service_network)]
        assert ipaddress.ip_address(found.nodes[0].address) in ipaddress.ip_network(f"172.30.{number}.0/24")
    assert not any(a.overlaps(b) for i, a in enumerate(networks) for b in networks[:i])


def test_nodes_on_paper_come_after_real_ones(made):
    found = made(nodes=1, fake_nodes=2)
    assert [node.index for node in (*found.nodes, *found.fake_nodes)] == [1, 2, 3]
    assert [node.name for node in found.fake_nodes] == ["fake1", "fake2"]


def test_thousands_of_nodes_on_paper_have_addresses(made):
    found = made(nodes=0, fake_nodes=5000, address="")
    addresses = {node.address for node in found.fake_nodes}
    assert all(ipaddress.ip_address(address) in ipaddress.ip_network("172.30.0.0/24") for address in addresses)
    assert {node.pod_cidr for node in found.fake_nodes[256:]} == {""}, "left to the node IPAM controller"


def test_with_the_fake_runtime_nodes_are_on_paper(made):
    found = made(nodes=3, runtime="fake", address="")
    assert found.nodes == ()
    assert len(found.fake_nodes) == 3


def test_the_api_server_is_known_by_every_name_clients_use(made):
    found = made(network_number=3, address="172.30.3.1")
    certificate = x509.load_pem_x509_certificate(found.api_server.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "kubernetes.default.svc.cluster.local"} <= set(names.get_values_for_type(x509.DNSName))
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "10.99.0.1", "172.30.3.1"}


def test_the_disk_that_a_node_shares_with_the_machine_may_be_fuller_than_upstreams(made):
    found = made(nodes=1, network_number=0)
    told = node_process.kubelet_options(found, found.nodes[0])
    assert told.eviction.hard["imagefs.available"] == "5%"
    assert told.eviction.hard["memory.available"] == "100Mi"


def test_where_machines_may_join_their_ranges_are_not_taken(made):
    found = made(nodes=60, fake_nodes=10, network_number=0, listen="192.0.2.1")
    assert found.nodes[-1].pod_cidr == "10.244.59.0/24"
    assert [node.pod_cidr for node in found.fake_nodes[:5]] == [*(f"10.244.{n}.0/24" for n in range(60, 64)), ""]


def test_further_names_are_in_the_certificate(made):
    found = made(network_number=0, listen="192.0.2.1", tls_sans=("api.example", "198.51.100.1"))
    certificate = x509.load_pem_x509_certificate(found.api_server.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "api.example" in names.get_values_for_type(x509.DNSName)
    assert {"192.0.2.1", "198.51.100.1"} <= {str(one) for one in names.get_values_for_type(x509.IPAddress)}
