"""Who is tried when."""

from steersman.scheduler.queue import Queue
from tests.scheduler.builders import pending, pod

FIT, TAINTS = frozenset({"NodeResourcesFit"}), frozenset({"TaintToleration"})


def keys(pods):
    return [one.key.removeprefix("default/") for one in pods]


def taken(queue, now=0.0):
    return keys(queue.take(100, now))


def filled(*names, **more):
    queue = Queue()
    for name in names:
        queue.put(pending(pod(name, **more)))
    return queue


def refused(filters, now=0.0):
    queue = filled("a")
    [one] = queue.take(1, now)
    queue.refused(one, filters, now)
    return queue


def test_priority_then_age():
    queue = filled("a", "b")
    queue.put(pending(pod("vip", priority=5)))
    assert keys(queue.take(2, 0)) == ["vip", "a"]
    assert taken(queue) == ["b"]
    assert taken(queue) == []


def test_a_pod_that_changes_while_it_is_ready_keeps_its_place():
    queue = filled("a", "b")
    for label in ("x", "y"):
        queue.put(pending(pod("a", labels={"app": label})))
    assert taken(queue) == ["a", "b"]
    assert taken(queue) == []


def test_known_pods_are_not_queued_twice():
    queue = Queue()
    first = pending(pod("a"))
    assert queue.put(first) is True
    assert queue.put(first) is False
    assert taken(queue) == ["a"]
    assert queue.put(first) is False
    assert taken(queue) == []


def test_a_pod_that_changed_is_tried_again_at_once():
    queue = refused(TAINTS)
    queue.put(pending(pod("a", tolerations=[{"operator": "Exists"}])))
    assert taken(queue) == ["a"]


def test_removed_pods_never_come():
    queue = filled("a", "b")
    queue.remove("default/a")
    assert taken(queue) == ["b"]


def test_refused_pods_wait_for_what_helps_them():
    queue = refused(FIT)
    queue.happened(TAINTS, 100)
    assert taken(queue, 100) == []
    queue.happened(FIT, 100)
    assert taken(queue, 100) == ["a"]


def test_a_pod_refused_by_no_filter_waits_for_anything():
    queue = refused(frozenset())
    queue.happened(TAINTS, 100)
    assert taken(queue, 100) == ["a"]


def test_the_pause_grows_to_ten_seconds():
    queue, now, pauses = filled("a"), 0.0, []
    for _ in range(6):
        [one] = queue.take(1, now)
        queue.refused(one, FIT, now)
        queue.happened(FIT, now)
        pauses.append(queue.next_due(now))
        now += pauses[-1]
    assert pauses == [1, 2, 4, 8, 10, 10]


def test_refused_pods_are_tried_again_after_five_minutes_in_any_case():
    queue = refused(FIT)
    assert queue.next_due(1) == 299
    assert taken(queue, 299.9) == []
    assert taken(queue, 300) == ["a"]


def test_failed_pods_come_back_after_their_pause():
    queue = filled("a")
    [one] = queue.take(1, 0)
    queue.failed(one, 0)
    assert taken(queue, 0.9) == []
    assert taken(queue, 1) == ["a"]


def test_nothing_is_due_in_an_empty_queue():
    assert Queue().next_due(0) is None


def test_a_pod_replaced_while_it_was_tried_keeps_its_new_place():
    queue = filled("a")
    [old] = queue.take(1, 0)
    queue.put(pending(pod("a", cpu="1")))
    queue.refused(old, FIT, 0)
    assert taken(queue) == ["a"]
