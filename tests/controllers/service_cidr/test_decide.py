"""When a ServiceCIDR is ready, and when it may go."""

import pytest

from steersman.controllers.decision import Patch, UpdateStatus
from steersman.controllers.service_cidr import decide
from steersman.controllers.service_cidr.decide import FINALIZER, Seen
from steersman.meta import conditions
from tests.controllers import shapes


def cidr(*listed, name="a", going=False, ready="", finalizers=(FINALIZER,)):
    meta = {"name": name, "uid": name, "resourceVersion": "1", "finalizers": list(finalizers)}
    if going:
        meta["deletionTimestamp"] = shapes.STAMP
    status = {"conditions": [{"type": "Ready", "status": ready}]} if ready else {}
    return {"metadata": meta, "spec": {"cidrs": list(listed)}, "status": status}


def decided(one, others=(), addresses=()):
    return decide.decide(Seen(one, others, addresses, shapes.NOW)).actions


def test_a_new_one_is_held_and_made_ready():
    hold, ready = decided(cidr("10.0.0.0/24", finalizers=()))
    assert isinstance(hold, Patch)
    assert hold.patch == {"metadata": {"finalizers": [FINALIZER]}}
    assert isinstance(ready, UpdateStatus)
    assert conditions.is_true(ready.obj, "Ready")
    assert decided(cidr("10.0.0.0/24", ready="True")) == ()


GOING = [
    pytest.param(["10.0.0.0/24"], [], [], True, id="nobody has an address of it"),
    pytest.param(["10.0.0.0/24"], [], ["10.1.0.1"], True, id="only of another one"),
    pytest.param(["10.0.0.0/24"], [], ["10.0.0.1"], False, id="somebody has"),
    pytest.param(["10.0.0.0/24"], ["10.0.0.0/16"], ["10.0.0.1"], True, id="a larger range holds it"),
    pytest.param(["10.0.0.0/24"], ["10.0.0.0/28"], ["10.0.0.1"], True, id="a smaller one holds the address"),
    pytest.param(["10.0.0.0/24"], ["10.0.0.0/28"], ["10.0.0.99"], False, id="a smaller one does not"),
    pytest.param(["10.0.0.0/24", "fd00::/112"], ["10.0.0.0/16"], ["fd00::1"], False, id="the other family is needed"),
]


@pytest.mark.parametrize(("listed", "others", "addresses", "goes"), GOING)
def test_going(listed, others, addresses, goes):
    rest = [cidr(text, name=text) for text in others]
    [action] = decided(cidr(*listed, going=True, ready="True"), rest, addresses)
    if goes:
        assert isinstance(action, Patch)
        assert action.patch == {"metadata": {"finalizers": None}}
    else:
        assert isinstance(action, UpdateStatus)
        assert shapes.condition(action.obj, "Ready")["reason"] == "Terminating"
        assert decide.decide(Seen(action.obj, rest, addresses, shapes.NOW)).actions == ()
