"""What `steersman join` refuses before it speaks to anybody."""

import pathlib

import pytest
from click.testing import CliRunner

from steersman import commands
from steersman.cluster import options, paths, pki, plan
from steersman.cluster.join import configuration, invitation, membership
from steersman.cluster.join.configuration import Configuration
from steersman.cluster.join.invitation import Invitation
from steersman.cluster.join.membership import Membership
from steersman.cluster.options import Options
from steersman.cluster.paths import Paths
from steersman.meta import times

TOKEN = ("--token", "abcdef.0123456789abcdef")
PIN = ("--ca-cert-hash", f"sha256:{'0' * 64}")
NAME = ("--name", "join-command-test")

WRONG = {
    "no URL": ((), 1, "This machine has joined no cluster yet: name its URL and a --token"),
    "no token": (("10.0.0.1", *PIN), 1, "This machine has joined no cluster yet: name its URL and a --token"),
    "no hash": (("10.0.0.1", *TOKEN), 1, "Without --ca-cert-hash anybody who knows the token could pass for the cluster"),
    "half a token": (("10.0.0.1", "--token", "abcdef", *PIN), 2, "Error: a token is written as"),
    "half a hash": (("10.0.0.1", *TOKEN, "--ca-cert-hash", "sha256:00"), 2, "Error: a hash is written as"),
    "no server": (("http://10.0.0.1", *TOKEN, *PIN), 2, "Error: not a server's URL"),
    "a label of the control plane": (("--labels", "node-role.kubernetes.io/x="), 2, "a node may not give itself the label"),
    "a runtime on paper": (("--runtime", "fake"), 2, "a machine that joins runs real containers"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "said"), WRONG.values(), ids=WRONG.keys())
def test_refused(tmp_path, arguments, code, said):
    done = CliRunner().invoke(commands.main, ["join", *arguments, *NAME, "--data-dir", str(tmp_path / "data")])
    assert done.exit_code == code
    assert said in " ".join(done.output.split())


@pytest.fixture
def where(tmp_path: pathlib.Path) -> Paths:
    found = paths.of_cluster(NAME[1], str(tmp_path / "data"))
    prepared = Paths(found.data, tmp_path / "run")
    prepared.prepare()
    return prepared


def run(where: Paths, *arguments: str) -> str:
    return CliRunner().invoke(commands.main, [*arguments, *NAME, "--data-dir", str(where.data)]).output


def test_a_machine_that_runs_a_cluster(where):
    options.save(where.options, Options())
    assert run(where, "join").startswith('This machine runs the cluster "join-command-test" itself')


def member(where: Paths) -> Membership:
    authority = pki.Authority(where.pki, times.parse("2026-01-01T00:00:00Z"))
    cluster = Configuration(configuration.FORMAT, "town", "192.0.2.1", 3, "1.37", 1.0)
    of = Membership(
        "https://192.0.2.1:6443", "beta", "192.0.2.2", "1.37", cluster, labels={"a": "b"}, taints=({"key": "c"},)
    )
    membership.save(where, of)
    assert membership.authority(where) == authority.pair.certificate
    return of


def test_a_machine_that_is_a_node(where):
    of = member(where)
    assert membership.load(where) == of
    assert run(where, "up", "-d").startswith("This machine is node beta of https://192.0.2.1:6443: start it with")
    assert run(where, "token", "create").startswith("This machine is node beta of https://192.0.2.1:6443: tokens are")
    assert run(where, "join", "10.0.0.1", *TOKEN, *PIN).startswith(
        "This machine is node beta of https://192.0.2.1:6443,"
    )


SAME = {
    "nothing": (Invitation(), True),
    "its URL": (Invitation("https://a:1"), True),
    "another URL": (Invitation("https://b:1"), False),
    "another URL, the same key": (Invitation("https://b:1", pins=("sha256:k",)), True),
    "its URL, another key": (Invitation("https://a:1", pins=("sha256:x",)), False),
    "one of several keys": (Invitation("https://a:1", pins=("sha256:x", "sha256:k")), True),
}


@pytest.mark.parametrize(("invited", "is_same"), SAME.values(), ids=SAME.keys())
def test_the_key_tells_whether_it_is_the_same_cluster(invited, is_same):
    assert (invitation.to_another(invited, "n", "https://a:1", "sha256:k") == "") == is_same


def test_a_cluster_of_its_own_leaves_the_addresses_to_the_one_it_joined(where):
    of = member(where)
    beside = Paths(where.data.parent / "other", where.run.parent / "other")
    assert membership.network_numbers(beside.others()) == {of.cluster.network_number}
    assert membership.network_numbers(where.others()) == set()


def test_addresses_of_a_member_follow_from_the_clusters_number(where):
    found = membership.member(where, member(where))
    made = plan.make(Options(network_number=3), where, "172.30.3.1", times.parse("2026-01-01T00:00:00Z"))
    assert (found.pod_network, found.service_network) == (made.pod_network, made.service_network)
    assert found.dns_address == made.dns_address
    assert found.server == "https://192.0.2.1:6443"


def test_what_a_cluster_tells_is_what_a_machine_reads(where):
    made = plan.make(Options(network_number=3), where, "172.30.3.1", times.parse("2026-01-01T00:00:00Z"), "192.0.2.1")
    told = configuration.parse(configuration.of_plan(made))
    assert told.server.address == "192.0.2.1"
    assert told.ranges == ("172.30.3.0/24", made.pod_network, made.service_network)
    assert made.public_server == "https://192.0.2.1:6443"
    assert made.advertised == "192.0.2.1"
    closed = plan.make(Options(network_number=3), where, "172.30.3.1", times.parse("2026-01-01T00:00:00Z"))
    assert configuration.of_plan(closed) == {}
    assert closed.public_server == "https://172.30.3.1:6443"
