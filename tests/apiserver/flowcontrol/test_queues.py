"""Who waits where, and who is next."""

import hypothesis
import pytest
from hypothesis import strategies

from steersman.apiserver.flowcontrol import queues


@hypothesis.given(strategies.text(), strategies.integers(1, 128), strategies.integers(1, 8))
def test_a_hand_is_of_different_queues_and_always_the_same(flow, deck, hand):
    dealt = queues.deal(flow, deck, hand)
    assert len(set(dealt)) == len(dealt) == min(hand, deck)
    assert all(0 <= index < deck for index in dealt)
    assert dealt == queues.deal(flow, deck, hand)


def test_different_flows_have_different_hands():
    assert len({tuple(queues.deal(f"user-{number}", 128, 6)) for number in range(200)}) == 200


def test_a_flood_of_one_flow_does_not_drown_another():
    waiting = queues.Queues[str](64, 1, 50)
    assert queues.deal("loud", 64, 1) != queues.deal("quiet", 64, 1)
    for number in range(20):
        assert waiting.add("loud", f"loud {number}") is not None
    assert waiting.add("quiet", "quiet") is not None
    order = [found[0] for _ in range(5) if (found := waiting.take()) is not None]
    assert order.index("quiet") <= 1
    assert waiting.waiting == 16


def test_who_had_long_requests_comes_later():
    waiting = queues.Queues[str](64, 1, 50)
    for number in range(3):
        waiting.add("a", f"a{number}")
        waiting.add("b", f"b{number}")
    first = waiting.take()
    assert first is not None
    first[1].ended(1.0)
    other = "b" if first[0].startswith("a") else "a"
    order = [found[0][0] for _ in range(3) if (found := waiting.take()) is not None]
    assert order == [other] * 3


def test_a_full_queue_takes_nothing():
    waiting = queues.Queues[int](1, 1, 2)
    assert [waiting.add("x", number) is not None for number in range(3)] == [True, True, False]


def test_who_leaves_is_not_taken():
    waiting = queues.Queues[str](4, 2, 10)
    queue = waiting.add("x", "a")
    assert queue is not None
    assert waiting.remove(queue, "a")
    assert not waiting.remove(queue, "a")
    assert waiting.take() is None
    assert waiting.waiting == 0


@pytest.mark.parametrize("hand", [1, 6])
def test_every_request_is_taken_once(hand):
    waiting = queues.Queues[int](16, hand, 100)
    for number in range(200):
        waiting.add(f"flow {number % 7}", number)
    taken = []
    while (found := waiting.take()) is not None:
        taken.append(found[0])
    assert sorted(taken) == list(range(200))
