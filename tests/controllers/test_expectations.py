"""A key waits until the caches show what it wrote, and is woken then."""

from typing import Any

import pytest

from steersman.api import kinds
from steersman.client.cache import Cache
from steersman.client.client import WatchEvent
from steersman.controllers.expectations import WAIT_SECONDS_MAX, Expectations


class Time:
    now_seconds = 0.0

    def monotonic(self):
        return self.now_seconds


def pod(name, revision, uid="u", **meta):
    meta |= {"name": name, "namespace": "default", "uid": uid, "resourceVersion": str(revision)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta}


@pytest.fixture
def world():
    return World()


def stopped_clock() -> Any:
    return Time()


class World:
    def __init__(self):
        self.time = stopped_clock()
        self.woken: list[str] = []
        nobody: Any = None
        self.cache = Cache(nobody, kinds.POD, self.time)
        self.expectations = Expectations(self.woken.append, self.time)
        self.cache.subscribe(lambda old, new: self.expectations.saw(self.cache, old, new))

    def see(self, what, obj):
        self.cache.apply(WatchEvent(what, obj))


def test_nothing_written_nothing_awaited(world):
    assert not world.expectations.postpone("k")


def test_a_write_is_awaited_by_its_revision(world):
    world.expectations.written("k", world.cache, pod("a", 10))
    world.expectations.written("k", world.cache, pod("b", 12))
    assert world.expectations.postpone("k")
    world.see("ADDED", pod("a", 10))
    assert world.woken == []
    world.see("ADDED", pod("b", 12))
    assert world.woken == ["k"]
    assert not world.expectations.postpone("k")


def test_any_later_change_of_the_kind_shows_that_it_has_arrived(world):
    world.expectations.written("k", world.cache, pod("a", 10))
    assert world.expectations.postpone("k")
    world.see("ADDED", pod("other", 11))
    assert world.woken == ["k"]


def test_a_write_that_was_seen_before_it_was_answered_is_not_awaited(world):
    world.see("ADDED", pod("a", 10))
    world.expectations.written("k", world.cache, pod("a", 10))
    assert not world.expectations.postpone("k")


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(("DELETED", pod("a", 20)), id="gone"),
        pytest.param(("MODIFIED", pod("a", 20, deletionTimestamp="now")), id="terminating"),
        pytest.param(("MODIFIED", pod("a", 20, uid="another")), id="another one of its name"),
    ],
)
def test_a_deletion_is_awaited(world, event):
    world.see("ADDED", pod("a", 10))
    world.expectations.deleted("k", world.cache, "default/a", "u")
    assert world.expectations.postpone("k")
    world.see(*event)
    assert "k" in world.woken
    assert not world.expectations.postpone("k")


def test_keys_do_not_wait_for_each_other(world):
    world.expectations.written("k", world.cache, pod("a", 10))
    assert world.expectations.postpone("k")
    assert not world.expectations.postpone("other")


def test_a_stuck_cache_is_not_awaited_for_ever(world):
    world.expectations.written("k", world.cache, pod("a", 10))
    assert world.expectations.postpone("k")
    world.time.now_seconds = WAIT_SECONDS_MAX + 1
    assert not world.expectations.postpone("k")
    assert len(world.expectations) == 0
