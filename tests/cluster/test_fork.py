"""What a fork's nodes are."""

import json
from typing import Any

from steersman.cluster import fork
from steersman.cluster.options import Options, PaperNode
from steersman.store import contract, journal


def _node(name: str, ready: str = "True", cpu: str = "4") -> contract.Entry:
    status: dict[str, Any] = {"capacity": {"cpu": cpu}, "conditions": [{"type": "Ready", "status": ready}]}
    value = {"kind": "Node", "metadata": {"name": name}, "status": status}
    return contract.Entry(f"/core/nodes/{name}", json.dumps(value).encode(), 1, 1)


def _forked(saved: Options, *entries: contract.Entry) -> Options:
    return fork.on_paper(saved, journal.Content(list(entries), [], 1, 0), 7000)


def test_nodes_that_were_ready_are_on_paper_in_the_order_of_their_numbers():
    pod = contract.Entry("/core/pods/default/node9", b"{}", 1, 1)
    found = _forked(Options(nodes=3, runtime="oci"), _node("node10"), _node("node2"), _node("node3", "False"), pod)
    assert found.paper_nodes == (PaperNode("node2", {"cpu": "4"}), PaperNode("node10", {"cpu": "4"}))
    assert found.fake_node_names() == ("node2", "node10")
    assert (found.node_names(), found.port) == ((), 7000)


def test_nodes_that_were_on_paper_stay_what_they_were():
    saved = Options(nodes=1, fake_nodes=2, runtime="fake", kubeconfig="/home/me")
    found = _forked(saved, _node("fake1"), _node("fake2"), _node("fake3"))
    assert (found.fake_node_names(), found.paper_nodes) == (saved.fake_node_names(), ())
    assert found.kubeconfig == ""


def test_a_fork_of_a_fork_has_the_same_nodes():
    once = _forked(Options(nodes=1, fake_nodes=1), _node("node1"), _node("fake1"))
    twice = _forked(once, _node("node1"), _node("fake1"))
    assert twice == once
