"""What a node says of resources that others gave it."""

import pytest

from steersman.kubelet import node_object

OWN = {"cpu": "2", "memory": "1Gi", "hugepages-2Mi": "0"}
GIVEN = {"example.com/dongle": "3"}


@pytest.mark.parametrize(
    ("capacity", "allocatable", "wrong"),
    [
        (OWN, OWN, False),
        (OWN | GIVEN, OWN, True),
        (OWN | GIVEN, OWN | GIVEN, False),
        (OWN, OWN | GIVEN, True),
    ],
    ids=["its own", "given", "given and told", "taken away"],
)
def test_whether_it_is_wrong_about_others(capacity: dict[str, str], allocatable: dict[str, str], wrong: bool) -> None:
    assert node_object.is_wrong_about_others({"capacity": capacity, "allocatable": allocatable}) is wrong


def test_nothing_is_known_yet() -> None:
    assert not node_object.is_wrong_about_others({})


def test_amounts_that_did_not_change_are_not_written():
    """Somebody may have taken example.com/dongle away since the kubelet looked."""
    was = {"capacity": {"cpu": "2", "memory": "1Gi", **GIVEN}, "allocatable": {"cpu": "2", "example.com/gone": "1"}}
    found = {
        "capacity": {"cpu": "4", "memory": "1Gi", **GIVEN},
        "allocatable": {"cpu": "2", **GIVEN},
        "addresses": ["one"],
    }
    assert node_object.status_patch(was, found) == {
        "capacity": {"cpu": "4"},
        "allocatable": {**GIVEN, "example.com/gone": None},
        "addresses": ["one", {"$patch": "replace"}],
    }
    assert node_object.status_patch({}, found)["capacity"] == found["capacity"]
