"""What a changed node status has to say."""

from typing import Any

import pytest

from steersman.kubelet import node_events
from steersman.meta import conditions


def status(boot: str = "b1", **about: str) -> dict[str, Any]:
    shown = [conditions.make(kind, value) for kind, value in about.items()]
    return {"conditions": shown, "nodeInfo": {"bootID": boot}}


WELL = {"MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False", "Ready": "True"}


@pytest.mark.parametrize(
    ("was", "now", "reasons"),
    [
        ({}, status(**WELL), ["NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID", "NodeReady"]),
        (status(**WELL), status(**WELL), []),
        (status(**WELL), status(**{**WELL, "DiskPressure": "True"}), ["NodeHasDiskPressure"]),
        (status(**{**WELL, "Ready": "Unknown"}), status(**WELL), ["NodeReady"]),
        (status(**WELL), status("b2", **WELL), ["Rebooted"]),
    ],
    ids=["first", "nothing new", "pressure", "back", "another boot"],
)
def test_reasons(was: dict[str, Any], now: dict[str, Any], reasons: list[str]) -> None:
    assert [reason for _, reason, _ in node_events.of_change("node-1", was, now)] == reasons


def test_words() -> None:
    assert list(node_events.of_change("node-1", status(), status("b2"))) == [
        ("Warning", "Rebooted", "Node node-1 has been rebooted, boot id: b2")
    ]
    assert list(node_events.of_change("node-1", {}, status(Ready="False"))) == [
        ("Normal", "NodeNotReady", "Node node-1 status is now: NodeNotReady")
    ]
