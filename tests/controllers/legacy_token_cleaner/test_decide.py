"""Which old tokens are marked, and which go."""

import datetime
from typing import Any

import pytest

from steersman.controllers.decision import Delete
from steersman.controllers.legacy_token_cleaner import decide
from steersman.controllers.legacy_token_cleaner.decide import Seen
from tests.controllers import shapes

LONG_AGO = datetime.date(2024, 1, 1)


def secret(created="2020-01-01T00:00:00Z", used="", marked=""):
    labels = {decide.LAST_USED: used, decide.INVALID_SINCE: marked}
    meta = {"name": "s", "namespace": "default", "uid": "s", "resourceVersion": "1", "creationTimestamp": created}
    return {"metadata": {**meta, "labels": {key: value for key, value in labels.items() if value}}}


CASES = {
    "old and unused": (secret(), LONG_AGO, False, "marked"),
    "used lately": (secret(used="2025-06-01"), LONG_AGO, False, ""),
    "used long ago": (secret(used="2024-06-01"), LONG_AGO, False, "marked"),
    "young": (secret(created="2025-06-01T00:00:00Z"), LONG_AGO, False, ""),
    "mounted": (secret(), LONG_AGO, True, ""),
    "not noted long enough": (secret(), datetime.date(2025, 6, 1), False, ""),
    "not noted": (secret(), None, False, ""),
    "marked lately": (secret(marked="2025-06-01"), LONG_AGO, False, ""),
    "marked long ago": (secret(marked="2024-06-01"), LONG_AGO, False, "gone"),
}


@pytest.mark.parametrize(("found", "since", "mounted", "expect"), CASES.values(), ids=CASES.keys())
def test_tokens(found, since, mounted, expect):
    actions: Any = decide.decide(Seen(found, since, mounted, shapes.NOW)).actions
    words = ["gone" if isinstance(one, Delete) else "marked" for one in actions]
    assert words == ([expect] if expect else [])


def test_since_when_use_is_noted():
    assert decide.tracked_since({"data": {"since": "2026-01-01"}}) == datetime.date(2026, 1, 1)
    assert decide.tracked_since({"data": {"since": "?"}}) is None
    assert decide.tracked_since(None) is None
