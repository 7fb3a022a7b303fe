"""How far old ReplicaSets may shrink, also while their statuses lag behind their sizes."""

from typing import Any

import pytest

from steersman.controllers.deployment import sizes
from steersman.controllers.deployment.sizes import Limits


def replica_set(name: str, wanted: int, available: int) -> Any:
    return {"metadata": {"name": name}, "spec": {"replicas": wanted}, "status": {"availableReplicas": available}}


@pytest.mark.parametrize(
    ("new", "old", "allowed", "expect"),
    [
        pytest.param((1, 1), (10, 10), Limits(10, 1, 0), 9, id="one new pod frees one old"),
        pytest.param((1, 0), (10, 10), Limits(10, 1, 0), None, id="not available yet"),
        pytest.param((2, 2), (9, 10), Limits(10, 1, 0), 8, id="the pod told off before is still counted as available"),
        pytest.param((2, 1), (9, 10), Limits(10, 1, 0), None, id="and what remains is needed"),
        pytest.param((3, 1), (8, 5), Limits(10, 1, 2), 8 - 1, id="unhealthy ones go as far as pods may be missing"),
        pytest.param((2, 5), (8, 8), Limits(10, 1, 0), None, id="the newest has been told to shrink, too"),
    ],
)
def test_the_old_one(new, old, allowed, expect):
    found = sizes.old_sizes(replica_set("new", *new), [replica_set("old", *old)], allowed)
    assert found == ({} if expect is None else {"old": expect})
