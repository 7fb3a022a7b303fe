"""What a machine may be in a cluster, and in what words it may not."""

import pytest

from steersman.cluster.join import configuration, discovery, rules
from steersman.meta import times

READY = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
LOST = {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}


def test_labels_and_taints_as_the_kubelet_takes_them():
    assert rules.parse_labels("a=b,node.kubernetes.io/rack=1,example.com/x=") == {
        "a": "b",
        "node.kubernetes.io/rack": "1",
        "example.com/x": "",
    }
    assert rules.parse_taints("a=b:NoSchedule,c:NoExecute") == (
        {"key": "a", "value": "b", "effect": "NoSchedule"},
        {"key": "c", "effect": "NoExecute"},
    )
    assert rules.parse_labels("") == {}
    assert rules.parse_taints("") == ()


WRONG_LABELS = {
    "no value": ("a", "not a label: 'a'"),
    "no key": ("=b", "not a label: '=b'"),
    "a value with a blank": ("a=b c", "not a label: 'a=b c'"),
    "a role": (
        "node-role.kubernetes.io/control-plane=",
        "a node may not give itself the label node-role.kubernetes.io/",
    ),
    "isolation": ("x=y,node-restriction.kubernetes.io/a=b", "a node may not give itself the label node-restriction."),
}


@pytest.mark.parametrize(("text", "said"), WRONG_LABELS.values(), ids=WRONG_LABELS.keys())
def test_no_labels(text, said):
    with pytest.raises(ValueError, match="^" + said.replace(".", r"\.")):
        rules.parse_labels(text)


@pytest.mark.parametrize("text", ["a", "a=b", "a=b:Never", ":NoSchedule", "a=b c:NoSchedule"])
def test_no_taints(text):
    with pytest.raises(ValueError, match="not a taint"):
        rules.parse_taints(text)


def test_names():
    assert rules.check_name(" Beta.Example.COM ") == "beta.example.com"
    with pytest.raises(ValueError, match="can be no node's name"):
        rules.check_name("under_score")


def test_a_name_is_taken_by_a_node_that_lives():
    assert rules.taken("a", None) == ""
    assert rules.taken("a", LOST) == ""
    said = 'The cluster\'s own machine is known as "a.b": give this one another --node-name.'
    for name in ("a.b", "A.B", "*.b"):
        assert rules.taken("a.b", None, [name]) == said
    assert rules.taken("a.b", None, ["b", "*.a.b"]) == ""
    assert rules.taken("a", READY).startswith('The cluster has a Node "a" that is Ready')


SKEWS = {
    "the same": ("1.37", "1.37", "1.37"),
    "an older cluster": ("1.30", "1.37", "1.30"),
    "a newer cluster": ("1.39", "1.37", "1.37"),
    "three releases newer": ("1.40", "1.37", "1.37"),
}


@pytest.mark.parametrize(("cluster", "here", "expect"), SKEWS.values(), ids=SKEWS.keys())
def test_a_node_is_never_newer_than_its_cluster(cluster, here, expect):
    assert rules.release(cluster, here) == expect


def test_a_cluster_that_is_too_new():
    with pytest.raises(ValueError, match=r"^The cluster is Kubernetes 1\.41; this machine's Steersman can be 1\.37"):
        rules.release("1.41", "1.37")


@pytest.mark.parametrize("runtime", ["auto", "oci", "cri", "cri:/run/containerd/containerd.sock"])
def test_runtimes(runtime):
    assert rules.check_runtime(runtime) == runtime


def test_a_machine_runs_real_containers():
    with pytest.raises(ValueError, match="real containers"):
        rules.check_runtime("fake")


def test_clocks():
    now = times.parse("2026-01-01T12:00:00Z")
    assert discovery.clock_skew("Thu, 01 Jan 2026 12:04:00 GMT", now) == ""
    assert "is 1:00:00 behind the server's" in discovery.clock_skew("Thu, 01 Jan 2026 13:00:00 GMT", now)
    assert "is 1:00:00 ahead of the server's" in discovery.clock_skew("Thu, 01 Jan 2026 11:00:00 GMT", now)
    assert discovery.clock_skew("", now) == ""


UNUSABLE = {
    "nothing": ({}, "The cluster does not say what"),
    "half of it": ({configuration.KEY: '{"format": 1}'}, "The cluster does not say what"),
    "another format": (
        {
            configuration.KEY: '{"format": 2, "name": "", "address": "", "network_number": 0, "kubernetes_version": "1.37",'
            ' "heartbeat_seconds": 1.0}'
        },
        "The cluster is run by another release of Steersman",
    ),
}


@pytest.mark.parametrize(("data", "said"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_what_a_cluster_says_must_be_understood(data, said):
    with pytest.raises(configuration.Unusable, match=said):
        configuration.parse(data)


def test_addresses_that_are_in_use():
    assert rules.collision([]) == ""
    assert "(10.244.0.0/16)" in rules.collision(["10.244.0.0/16"])
