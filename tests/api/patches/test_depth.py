"""Nesting without end is refused, not a crash."""

import pytest

from steersman.api import kinds, schema
from steersman.api.patches import json_patch, merge_patch, strategic_merge
from steersman.meta import errors
from tests.api import builders

LEVELS = 5000


def _deep():
    value: object = 1
    for _ in range(LEVELS):
        value = {"a": value}
    return value


PATCHES = {
    "merge": lambda: merge_patch.apply({}, _deep()),
    "strategic": lambda: strategic_merge.apply(kinds.POD, {}, _deep()),
    "json": lambda: json_patch.apply({"a": _deep()}, [{"op": "test", "path": "/a", "value": _deep()}]),
    "json pointer": lambda: json_patch.apply(_deep(), [{"op": "add", "path": "/a" * (LEVELS - 1), "value": 1}]),
    "any object": lambda: schema.decode(
        kinds.CONTROLLER_REVISION, builders.of_kind(kinds.CONTROLLER_REVISION, data=_deep())
    ),
}


@pytest.mark.parametrize("apply", PATCHES.values(), ids=PATCHES.keys())
def test_refused(apply):
    with pytest.raises(errors.StatusError, match="exceeded max depth") as refused:
        apply()
    assert refused.value.code == 400
