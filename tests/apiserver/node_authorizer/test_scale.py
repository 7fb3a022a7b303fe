"""A large cluster: 5,000 nodes, 10,000 pods. What a question costs does not depend on it, and what it takes is small."""

import tracemalloc

import pytest

from steersman.aio.clock import SystemClock
from steersman.apiserver.node_authorizer.graph import Graph, Thing

NODES, PODS = 5_000, 10_000
ASKED = 20_000


def graph(pods: int) -> Graph:
    made = Graph()
    for number in range(pods):
        own = [("secrets", f"secret-{number}"), ("persistentvolumeclaims", f"claim-{number}")]
        shared = [("serviceaccounts", "default"), ("configmaps", "kube-root-ca.crt")]
        made.put_pod("default", f"pod-{number}", f"node-{number % NODES}", [*shared, *own], ("uid", number))
        made.put_volume(f"volume-{number}", ("default", f"claim-{number}"), [("default", f"key-{number}")])
    return made


@pytest.mark.slow
def test_a_question_costs_what_it_costs_in_a_small_one():
    def seconds(asked: Graph) -> float:
        clock = SystemClock()
        things = [Thing("configmaps", "default", "kube-root-ca.crt"), Thing("secrets", "default", "key-7")]
        best = float("inf")
        for _ in range(5):
            began = clock.monotonic()
            for thing in things:
                for _ in range(ASKED // len(things)):
                    asked.is_related("node-7", thing)
                    asked.is_related("node-8", thing)
            best = min(best, clock.monotonic() - began)
        return best

    small, large = graph(10), graph(PODS)
    assert large.is_related("node-7", Thing("secrets", "default", "key-7"))
    assert not large.is_related("node-8", Thing("secrets", "default", "key-7"))
    assert seconds(large) < 4 * seconds(small)


@pytest.mark.slow
def test_it_takes_some_megabytes():
    tracemalloc.start()
    try:
        made = graph(PODS)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not made.is_empty()
    assert taken < 4_000 * PODS
