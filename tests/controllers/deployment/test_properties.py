"""Whatever order pods get ready or die in: a rollout never has too many pods, never takes too many away, and ends."""

import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.api import kinds
from steersman.controllers.deployment import decide, sizes, template
from steersman.controllers.deployment.decide import Seen
from steersman.meta import objects, owners
from tests.controllers import shapes
from tests.controllers.model import Model


def look(model, now):
    deployment = model.get(kinds.DEPLOYMENT, "default/web")
    owned = [one for one in model.all(kinds.REPLICA_SET) if owners.is_controlled_by(one, deployment)]
    return Seen(deployment, owned, now)


def replica_sets_report(model, ready_of):
    """The ReplicaSets have made their pods; `ready_of(name, count)` of them are available."""
    for one in model.all(kinds.REPLICA_SET):
        count = sizes.wanted(one)
        ready = min(count, ready_of(objects.name(one), count))
        status = {"replicas": count, "readyReplicas": ready, "availableReplicas": ready}
        status["observedGeneration"] = one["metadata"]["generation"]
        if one.get("status") != status:
            model.change(kinds.REPLICA_SET, {**one, "status": status})


def available(model):
    return sum(sizes.available(one) for one in model.all(kinds.REPLICA_SET))


def decide_until_quiet(model, now, at_most=20):
    for _ in range(at_most):
        if model.apply(decide.decide(look(model, now))) == 0:
            return
    raise AssertionError("it never stops deciding")


percent_or_number = st.one_of(st.integers(0, 6), st.integers(0, 100).map(lambda value: f"{value}%"))


@settings(max_examples=40, deadline=None)
@given(
    replicas=st.integers(0, 12),
    surge=percent_or_number,
    unavailable=percent_or_number,
    templates=st.integers(2, 4),
    data=st.data(),
)
def test_a_rollout_is_safe_and_ends(replicas, surge, unavailable, templates, data):
    now = shapes.NOW
    model = Model()
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    model.add(kinds.DEPLOYMENT, shapes.deployment(replicas, strategy=strategy, progressDeadlineSeconds=600))
    decide_until_quiet(model, now)
    replica_sets_report(model, lambda name, count: count)
    decide_until_quiet(model, now)
    limits = sizes.limits(model.get(kinds.DEPLOYMENT, "default/web"))
    for version in range(2, templates + 1):
        deployment = model.get(kinds.DEPLOYMENT, "default/web")
        changed = {**deployment["spec"], "template": shapes.template(f"web:{version}")}
        model.change(kinds.DEPLOYMENT, {**deployment, "spec": changed})
        for _ in range(data.draw(st.integers(0, 4))):
            before = available(model)
            decision = decide.decide(look(model, now))
            model.apply(decision)
            total = sum(sizes.wanted(one) for one in model.all(kinds.REPLICA_SET))
            assert total <= limits.maximum
            replica_sets_report(model, lambda name, count: data.draw(st.integers(0, count)))
            # what it takes away are unavailable pods, or available ones beyond the minimum
            kept = sum(min(sizes.available(one), sizes.wanted(one)) for one in model.all(kinds.REPLICA_SET))
            assert kept <= before + total
            now += datetime.timedelta(seconds=1)
    for _ in range(3 * (replicas + templates) + 6):
        spent = sum(min(sizes.wanted(one), sizes.available(one)) for one in model.all(kinds.REPLICA_SET))
        replica_sets_report(model, lambda name, count: count)
        model.apply(decide.decide(look(model, now)))
        left = sum(min(sizes.wanted(one), sizes.available(one)) for one in model.all(kinds.REPLICA_SET))
        assert left >= min(spent, limits.minimum)
    deployment = model.get(kinds.DEPLOYMENT, "default/web")
    new = template.find_new(deployment, model.all(kinds.REPLICA_SET))
    assert new is not None
    assert sizes.wanted(new) == replicas
    assert sum(sizes.wanted(one) for one in model.all(kinds.REPLICA_SET)) == replicas
    replica_sets_report(model, lambda name, count: count)
    decide_until_quiet(model, now)
    assert decide.decide(look(model, now)).actions == ()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=5).filter(any), st.integers(0, 40), st.integers(0, 10))
def test_proportional_scaling_hits_the_total(present, replicas, surge):
    active = [
        {
            "metadata": {
                "name": f"rs-{index}",
                "annotations": {"deployment.kubernetes.io/max-replicas": str(sum(present))},
            },
            "spec": {"replicas": size},
        }
        for index, size in enumerate(present)
        if size
    ]
    allowed = sizes.Limits(replicas, surge, 0)
    found = sizes.proportional(active, allowed, sum(present))
    assert all(size >= 0 for size in found.values())
    assert sum(found.values()) == (replicas + surge if replicas else 0)
