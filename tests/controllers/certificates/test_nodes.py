"""What nodes get beside their client certificates: their own serving certificate, the proxy's, and nothing else."""

from typing import Any

import pytest

from steersman.api import certificate_requests
from steersman.controllers.csr_node_approving import decide
from steersman.controllers.csr_node_approving.decide import PROXYING, SERVING, Seen
from tests.controllers.certificates import requests

NODE = ("system:node:n", "system:nodes")
SERVING_USAGES = ("digital signature", "server auth")
SENDER = {"username": "system:node:n", "groups": ["system:nodes", "system:authenticated"]}


def node(name, *addresses):
    listed = [{"type": "InternalIP", "address": one} for one in addresses] + [{"type": "Hostname", "address": name}]
    return {"metadata": {"name": name}, "status": {"addresses": listed}}


def serving(*names, user=NODE, **spec):
    encoded = requests.pkcs10(*user, dns=("n",), addresses=names or ("10.0.0.1",))
    return requests.request(encoded, certificate_requests.KUBELET_SERVING, SERVING_USAGES, **{**SENDER, **spec})


def named(name):
    encoded = requests.pkcs10(*NODE, dns=(name,))
    return requests.request(encoded, certificate_requests.KUBELET_SERVING, SERVING_USAGES, **SENDER)


def proxy(name="system:kube-proxy", *groups, **spec):
    return requests.request(requests.pkcs10(name, *groups), certificate_requests.CLIENT, **{**SENDER, **spec})


RECOGNIZED = {
    "a kubelet's serving certificate": (serving(), SERVING),
    "of another node": (serving(user=("system:node:m", "system:nodes")), None),
    "asked by somebody else": (serving(username="system:node"), None),
    "by a user who only is called so": (serving(groups=["system:authenticated"]), None),
    "the proxy's": (proxy(), PROXYING),
    "the proxy's with a group": (proxy("system:kube-proxy", "system:masters"), None),
    "another user's": (proxy("system:kube-scheduler"), None),
    "the proxy's, asked by a person": (proxy(username="alice", groups=["system:authenticated"]), None),
    "decided already": (requests.told(proxy(), "Denied"), None),
    "a node's client certificate": (requests.node_request(**SENDER), None),
}


@pytest.mark.parametrize(("request_", "expect"), RECOGNIZED.values(), ids=RECOGNIZED.keys())
def test_recognized(request_, expect):
    assert decide.recognized(request_) is expect


WHY = {
    "its own names": (serving(), [node("n", "10.0.0.1"), node("m", "10.0.0.2")], SERVING.message),
    "an address that is not the Node's": (serving("10.0.0.1", "10.0.0.9"), [node("n", "10.0.0.1")], "not of Node n: 10.0.0.9"),
    "no Node yet": (serving(), [], "not of Node n: 10.0.0.1"),
    "an address of two Nodes": (
        serving(),
        [node("n", "10.0.0.1"), node("m", "10.0.0.1")],
        "another Node's: 10.0.0.1",
    ),
    "another Node's name, which it says is its own, too": (
        named("m"),
        [node("n", "m"), {"metadata": {"name": "m"}}],
        "another Node's: m",
    ),
    "its own name, which another Node says is its, too": (serving(), [node("n", "10.0.0.1"), node("m", "n")], SERVING.message),
}  # fmt: skip


GUARDED = ("kubernetes", "localhost", "127.0.0.1", "192.0.2.1", "10.96.0.0/16", "fd00::/64", "*.Example.com", "ALPHA")


@pytest.mark.parametrize("address", ["127.0.0.1", "192.0.2.1", "10.96.0.10", "fd00::1", "::ffff:a60:a"])
def test_no_address_of_the_control_plane_or_a_service(address):
    decided = decide.decide(Seen(serving(address), True, [node("n", address)], GUARDED))
    assert (decided.actions, decided.why) == ((), f"not a node's: {address}")


@pytest.mark.parametrize("name", ["kubernetes", "localhost", "kubernetes.default.svc", "web.default.svc.cluster.local"])
def test_no_name_of_the_control_plane_or_a_service(name):
    user = f"system:node:{name}"
    encoded = requests.pkcs10(user, "system:nodes", dns=(name,), addresses=("10.0.0.1",))
    asked = requests.request(
        encoded, certificate_requests.KUBELET_SERVING, SERVING_USAGES, username=user, groups=["system:nodes"]
    )
    decided = decide.decide(Seen(asked, True, [node(name, "10.0.0.1")], GUARDED))
    assert (decided.actions, decided.why) == ((), f"not a node's: {name}")


@pytest.mark.parametrize(
    "name", ["*.default", "*", "Kubernetes", "kubernetes.", "api.example.com", "alpha", "10.96.0.1", "WEB.default.SVC"]
)
def test_no_other_way_to_write_them(name):
    """What a Node says of itself is not checked."""
    decided = decide.decide(Seen(named(name), True, [node("n", name)], GUARDED))
    assert (decided.actions, decided.why) == ((), f"not a node's: {name}")


@pytest.mark.parametrize(("request_", "nodes", "why"), WHY.values(), ids=WHY.keys())
def test_names_of_a_serving_certificate(request_, nodes, why):
    decided = decide.decide(Seen(request_, True, nodes))
    assert decided.why == why
    assert len(decided.actions) == (why == SERVING.message)


def test_what_is_approved_says_so():
    [action] = decide.decide(Seen(proxy(), True, ())).actions
    approved: Any = action
    assert approved.subresource == "approval"
    [condition] = approved.obj["status"]["conditions"]
    assert (condition["type"], condition["reason"]) == ("Approved", "AutoApproved")


def test_without_the_right_nothing_is_approved():
    assert decide.decide(Seen(proxy(), False, ())).actions == ()
