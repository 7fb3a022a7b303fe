"""How large a volume is to become, whatever was begun before. The cases are external-resizer's."""

import datetime
from typing import Any

import pytest

from steersman.csi import resizing
from steersman.meta import conditions
from tests.controllers.volume_shapes import claim, volume

GI = 1 << 30
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def growing(wish, *, has="1Gi", state="", allocated="", pending=False):
    status: Any = {"phase": "Bound", "capacity": {"storage": has}}
    if state:
        status["allocatedResourceStatuses"] = {"storage": state}
    if allocated:
        status["allocatedResources"] = {"storage": allocated}
    if pending:
        status["conditions"] = [{"type": "FileSystemResizePending", "status": "True"}]
    return claim(size=wish, status=status)


CASES = {
    "nothing wished for": (growing("1Gi"), "1Gi", False, None),
    "a first wish": (growing("3Gi"), "1Gi", False, 3),
    "another wish, the first one under way": (
        growing("2Gi", state="ControllerResizeInProgress", allocated="3Gi"), "1Gi", False, 3,
    ),
    "another wish, the first one refused": (
        growing("2Gi", state="ControllerResizeInProgress", allocated="3Gi"), "1Gi", True, 2,
    ),
    "another wish, the first one impossible": (
        growing("2Gi", state="ControllerResizeInfeasible", allocated="3Gi"), "1Gi", True, 2,
    ),
    "grown, and not told": (growing("3Gi", state="ControllerResizeInProgress", allocated="3Gi"), "3Gi", False, 3),
    "the node's turn": (growing("3Gi", state="NodeResizePending", allocated="3Gi"), "3Gi", False, None),
    "the node's turn, and more is wished for": (
        growing("4Gi", state="NodeResizeInProgress", allocated="3Gi"), "3Gi", False, None,
    ),
    "the node cannot": (growing("3Gi", state="NodeResizeInfeasible", allocated="3Gi"), "3Gi", False, 3),
    "the node's turn, as older resizers say it": (growing("3Gi", pending=True), "3Gi", False, None),
    "grown by hand": (growing("3Gi"), "3Gi", False, 3),
}  # fmt: skip


@pytest.mark.parametrize(("of", "size", "was_refused", "expect"), CASES.values(), ids=CASES.keys())
def test_sizes(of, size, was_refused, expect):
    found = resizing.wanted_bytes(of, volume(size=size), was_refused=was_refused)
    assert found == (None if expect is None else expect * GI)


def test_a_way_through_the_status_leaves_what_is_of_others():
    of = growing("3Gi")
    of["status"]["conditions"] = [{"type": "ModifyingVolume", "status": "True"}]

    def types():
        return [one["type"] for one in of["status"]["conditions"]]

    of["status"] = resizing.begun(of, 3 * GI, NOW)
    assert (types(), resizing.allocated_bytes(of)) == (["ModifyingVolume", "Resizing"], 3 * GI)
    of["status"] = resizing.refused(of, "no", NOW, for_good=True)
    assert (types(), resizing.state_of(of)) == (
        ["ModifyingVolume", "Resizing", "ControllerResizeError"],
        "ControllerResizeInfeasible",
    )
    of["status"] = resizing.left_to_node(of, NOW)
    assert (types(), resizing.state_of(of)) == (["ModifyingVolume", "FileSystemResizePending"], "NodeResizePending")
    of["status"] = resizing.on_node(of)
    of["status"] = resizing.finished(of, "3Gi")
    assert of["status"]["capacity"] == {"storage": "3Gi"}
    assert (types(), resizing.state_of(of), conditions.is_true(of, "ModifyingVolume")) == (
        ["ModifyingVolume"],
        "",
        True,
    )
