"""Whatever the order in which claims and volumes are looked at, and however old the view: one claim, one volume."""

from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.api import kinds, volumes
from steersman.controllers.decision import Decision, Delete, Emit, Patch, Update, UpdateStatus
from steersman.controllers.persistent_volume import decide
from steersman.controllers.persistent_volume.decide import SeenClaim, SeenVolume
from steersman.meta import objects
from steersman.meta.objects import Object
from tests.controllers import shapes, volume_shapes
from tests.controllers.model import Model

CLAIM, VOLUME = kinds.PERSISTENT_VOLUME_CLAIM, kinds.PERSISTENT_VOLUME

View = dict[str, list[Object]]


def view(model: Model) -> View:
    return {"claims": model.all(CLAIM), "volumes": model.all(VOLUME)}


def look(seen: View, live: View, key: str) -> Decision | None:
    """What the controller would decide on this view; a claim that it does not show is asked for."""
    if "/" in key:
        claim = next((one for one in seen["claims"] if objects.key(one) == key), None)
        if claim is None:
            return None
        named = next((one for one in seen["volumes"] if objects.name(one) == claim["spec"].get("volumeName")), None)
        return decide.decide(SeenClaim(claim, shapes.NOW, named, seen["volumes"]))
    volume = next((one for one in seen["volumes"] if objects.name(one) == key), None)
    if volume is None:
        return None
    owner = volumes.claim_of(volume)
    wanted = f"{owner.get('namespace', '')}/{owner.get('name', '')}"
    claim = next((one for one in (*seen["claims"], *live["claims"]) if objects.key(one) == wanted), None)
    return decide.decide(SeenVolume(volume, shapes.NOW, claim))


def apply(model: Model, decision: Decision, actions: int) -> None:
    """The first `actions` of it, each only if nobody has written its object meanwhile: then the controller is killed."""
    written: dict[str, str] = {}
    for action in decision.actions[:actions]:
        if isinstance(action, Emit):
            continue
        assert isinstance(action, Patch | UpdateStatus | Update | Delete)
        if isinstance(action, Patch | Delete):
            key, version = f"{action.namespace}/{action.name}".strip("/"), action.resource_version
        else:
            key, version = objects.key(action.obj), objects.resource_version(action.obj)
        now = objects.resource_version(model.get(action.kind, key))
        if written.get(key, version) != now:
            return
        model.apply(Decision((action,)))
        written[key] = objects.resource_version(model.get(action.kind, key))


def check(model: Model) -> None:
    owners = [volumes.claim_of(one).get("uid") for one in model.all(VOLUME)]
    named = [one["spec"]["volumeName"] for one in model.all(CLAIM) if one["spec"].get("volumeName")]
    assert len(set(named)) == len(named), "two claims of one volume"
    for claim in model.all(CLAIM):
        assert (claim.get("status") or {}).get("phase") != "Lost"
        if volumes.BIND_COMPLETED in objects.annotations(claim):
            volume = model.get(VOLUME, claim["spec"]["volumeName"])
            assert volumes.claim_of(volume)["uid"] == objects.uid(claim)
            assert owners.count(objects.uid(claim)) <= 2, "one that was not needed is given back at the next look"


@settings(max_examples=120, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    wishes=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    steps=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(0, 4)), max_size=40),
)
def test_one_claim_one_volume(sizes, wishes, steps):
    model = Model()
    for index, size in enumerate(sizes):
        model.add(VOLUME, volume_shapes.volume(f"pv{index}", f"{size}Gi", phase="Pending"))
    for index, size in enumerate(wishes):
        model.add(CLAIM, volume_shapes.claim(f"claim{index}", f"{size}Gi"))
    keys = [*(f"pv{index}" for index in range(len(sizes))), *(f"default/claim{index}" for index in range(len(wishes)))]
    past = [view(model)]
    for which, age, actions in steps:
        decision = look(past[max(0, len(past) - 1 - age)], view(model), keys[which % len(keys)])
        if decision is not None:
            apply(model, decision, actions)
        check(model)
        past.append(view(model))
    for _ in range(12):  # left alone it comes to rest
        for key in keys:
            decision = look(view(model), view(model), key)
            apply(model, decision or Decision(), 9)
    check(model)
    before = view(model)
    for key in keys:
        apply(model, look(view(model), view(model), key) or Decision(), 9)
    assert view(model) == before, "deciding again after applying changes nothing"
    free = [volumes.capacity_bytes(one) for one in model.all(VOLUME) if not volumes.claim_of(one)]
    waiting = [volumes.requested_bytes(one) for one in model.all(CLAIM) if not volumes.is_bound(one)]
    assert not any(size >= wish for size in free for wish in waiting), "nobody waits beside a volume that would do"
