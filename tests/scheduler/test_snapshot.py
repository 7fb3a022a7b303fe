"""The snapshot after any history is the snapshot of what is there now."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.meta.objects import Object
from steersman.scheduler import requests, shape
from steersman.scheduler.snapshot import Snapshot
from tests.scheduler.builders import node, pending, picture, pod

NAMES = ["a", "b", "c"]
TAINT = {"key": "k", "value": "v", "effect": "NoSchedule"}

node_changes = st.tuples(st.just("node"), st.sampled_from(NAMES), st.integers(0, 3))
pod_changes = st.tuples(st.just("pod"), st.sampled_from(["p", "q", "r"]), st.sampled_from([*NAMES, ""]))


def node_state(name, state):
    return node(name, cpu=str(state), labels={"disk": f"d{state}"}, taints=[TAINT] if state % 2 else [])


def pod_state(name, on):
    return pod(
        name, cpu="1", requests={"x.io/gpu": "2"}, ports=[{"hostPort": 80}], labels={"app": name}, owner=name, on=on
    )


def told(seen: Snapshot):
    """Everything it says, by node name."""
    owned = seen.counts.tally("p", lambda group: group.owner_uid == "p")
    found = {}
    for name in NAMES:
        row = seen.row_of(name)
        if row is not None:
            resources = {key: int(seen.requested[index, row]) for key, index in seen.resources.items()}
            found[name] = (
                {key: amount for key, amount in resources.items() if amount},
                int(seen.allocatable[0, row]),
                [taint for taint, mask in seen.taints.items() if mask[row]],
                [port for port, rows in seen.ports.items() if row in rows],
                bool(seen.labels.is_one_of("disk", ["d1"])[row]),
                int(owned[row]),
                seen.for_scores[:, row].tolist(),
            )
    return found


@given(st.lists(st.one_of(node_changes, pod_changes), max_size=30))
def test_history_does_not_matter(changes):
    seen = Snapshot()
    nodes: dict[str, Object] = {}
    pods: dict[str, Object] = {}
    told(seen)  # so that tallies and columns exist from the start and must be kept
    for what, name, state in changes:
        if what == "node" and state == 0:
            nodes.pop(name, None)
            seen.remove_node(name)
        elif what == "node":
            nodes[name] = node_state(name, state)
            seen.set_node(nodes[name])
        elif state:
            pods[name] = pod_state(name, state)
            seen.set_pod(f"default/{name}", shape.read(pods[name]), state)
        else:
            pods.pop(name, None)
            seen.remove_pod(f"default/{name}")
    assert told(seen) == told(picture(list(nodes.values()), list(pods.values())))
    assert len(seen) == len(nodes)


def test_heartbeats_change_nothing():
    seen = picture([node("a")])
    beat = node("a")
    beat["status"]["conditions"] = [{"type": "Ready", "lastHeartbeatTime": "now"}]
    assert seen.set_node(beat) is False
    assert seen.set_node(node("a", cpu="5")) is True


def test_grows_to_many_nodes():
    seen = picture([node(f"n{i}") for i in range(100)])
    seen.labels.of("kubernetes.io/hostname")
    for i in range(100, 200):
        seen.set_node(node(f"n{i}"))
    assert len(seen) == 200
    assert np.count_nonzero(seen.alive) == 200
    assert seen.labels.is_one_of("kubernetes.io/hostname", ["n199"])[seen.row_of("n199")]


def test_rows_of_nodes_that_left_are_used_again():
    seen = picture([node("a")])
    rows = seen.rows
    for i in range(100):
        seen.set_node(node(f"n{i}"))
        seen.remove_node(f"n{i}")
    assert seen.rows == rows


@pytest.mark.parametrize("node_first", [True, False])
def test_room_that_is_kept_is_given_back_whichever_was_seen_first(node_first):
    """A scheduler that starts may see a nomination before its node."""
    snapshot, wanted = Snapshot(), pending(pod("urgent", cpu="1"))
    if node_first:
        snapshot.set_node(node("a", cpu="4"))
    snapshot.nominations.put(wanted.key, wanted.shape, 5, "a")
    snapshot.set_node(node("a", cpu="4"))
    cpu, row = snapshot.resource(requests.CPU), snapshot.names.index("a")
    assert snapshot.requested[cpu, row] == 1000
    snapshot.nominations.drop(wanted.key)
    assert snapshot.requested[cpu, row] == 0
