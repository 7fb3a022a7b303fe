"""A Job's pods are counted exactly once, whatever ends, is deleted or is killed in between; and it never runs too many."""

import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.controllers import pods
from steersman.controllers.decision import Create, Delete, Emit, Patch, UpdateStatus
from steersman.controllers.job import decide
from steersman.controllers.job.decide import Seen
from steersman.controllers.job.view import is_finished, is_tracked
from steersman.meta import conditions, objects
from tests.controllers import shapes
from tests.controllers.job.shapes import job, pod


class World:
    """What the server keeps: finalizers hold pods, and a status is refused that counts backwards."""

    def __init__(self, **spec):
        self.job = job(**spec)
        self.pods = {}
        self.made = 0
        self.ended = {"Succeeded": 0, "Failed": 0}  # pods that ended while they were tracked
        self.now = shapes.NOW

    def step(self, writes):
        """One decision, killed after so many writes. How many it had."""
        self.now += datetime.timedelta(hours=1)
        decision = decide.decide(Seen(self.job, list(self.pods.values()), self.now))
        actions = [one for one in decision.actions if not isinstance(one, Emit)]
        for action in actions[:writes]:
            self.apply(action)
        assert sum(pods.is_active(one) for one in self.pods.values()) <= self.job["spec"]["parallelism"]
        return len(actions)

    def apply(self, action):
        match action:
            case Create():
                self.made += 1
                meta = action.obj["metadata"]
                made = pod(f"p{self.made}", "Pending")
                made["metadata"] |= {
                    field: meta[field] for field in ("labels", "annotations", "finalizers") if field in meta
                }
                self.pods[f"p{self.made}"] = made
            case UpdateStatus(when="refused"):
                pass
            case UpdateStatus():
                before, after = self.job["status"], action.obj["status"]
                assert after.get("failed", 0) >= before.get("failed", 0)
                assert after.get("succeeded", 0) >= before.get("succeeded", 0)
                self.job = {**self.job, "status": after}
            case Patch():
                meta = self.pods[action.name]["metadata"]
                self.put(action.name, finalizers=action.patch["metadata"]["finalizers"] or [])
                if meta.get("deletionTimestamp") and pods.phase(self.pods[action.name]) != "Running":
                    del self.pods[action.name]
            case Delete():
                self.delete(action.name)

    def put(self, name, **meta):
        found = self.pods[name]
        self.pods[name] = {**found, "metadata": {**found["metadata"], **meta}}

    def end(self, name, phase):
        if pods.is_finished(self.pods[name]):
            return
        if is_tracked(self.pods[name]) and not pods.is_terminating(self.pods[name]):
            self.ended[phase] += 1
        ended = pod(name, phase)
        self.pods[name] = {**self.pods[name], "status": ended["status"]}
        self._collect(name)

    def delete(self, name):
        """By the Job, or by someone."""
        if name in self.pods:
            self.put(name, deletionTimestamp=shapes.STAMP)
            self._collect(name)

    def _collect(self, name):
        meta = self.pods[name]["metadata"]
        if meta.get("deletionTimestamp") and not meta["finalizers"]:
            del self.pods[name]

    def finish(self):
        """No more surprises: everything that still runs ends well."""
        for _ in range(60):
            for name in [name for name, one in self.pods.items() if not pods.is_finished(one)]:
                self.end(name, "Succeeded")
            if not self.step(100) and is_finished(self.job):
                return
        raise AssertionError(f"never ends: {self.job['status']}")


events = st.lists(
    st.one_of(
        st.tuples(st.just("step"), st.integers(0, 6)),
        st.tuples(st.sampled_from(["Succeeded", "Failed"]), st.integers(0, 5)),
        st.tuples(st.just("delete"), st.integers(0, 5)),
    ),
    max_size=25,
)
shape = st.fixed_dictionaries(
    {
        "parallelism": st.integers(1, 4),
        "completions": st.integers(1, 5),
        "backoffLimit": st.integers(0, 4),
        "completionMode": st.sampled_from(["NonIndexed", "Indexed"]),
        "podReplacementPolicy": st.sampled_from(["Failed", "TerminatingOrFailed"]),
    }
)


def play(world, happened, *, deletes):
    for what, number in happened:
        names = sorted(world.pods)
        if what == "step":
            world.step(number)
        elif names and what == "delete":
            if deletes:
                world.delete(names[number % len(names)])
        elif names:
            world.end(names[number % len(names)], what)


@settings(max_examples=150, deadline=None)
@given(shape, events)
def test_each_pod_is_counted_once(spec, happened):
    world = World(**spec)
    play(world, happened, deletes=False)
    world.finish()
    status = world.job["status"]
    assert not status.get("uncountedTerminatedPods")
    assert not any(is_tracked(one) for one in world.pods.values())
    complete = conditions.is_true(world.job, "Complete")
    assert complete != conditions.is_true(world.job, "Failed")
    if complete:
        assert status["succeeded"] == spec["completions"] or spec["completionMode"] == "NonIndexed"
        assert status["succeeded"] >= spec["completions"]
        assert status.get("failed", 0) <= spec["backoffLimit"]
    if spec["completionMode"] == "NonIndexed" and complete:
        assert (status["succeeded"], status.get("failed", 0)) == (world.ended["Succeeded"], world.ended["Failed"])


@settings(max_examples=150, deadline=None)
@given(shape, events)
def test_it_always_ends_and_then_rests(spec, happened):
    world = World(**spec)
    play(world, happened, deletes=True)
    world.finish()
    assert world.step(100) == 0
    assert not world.job["status"].get("uncountedTerminatedPods")
    assert not any(is_tracked(one) for one in world.pods.values())
    assert all(objects.is_terminating(one) or pods.is_finished(one) for one in world.pods.values())
