"""docs/reference/api.md is what `script/api-reference` makes of the table of kinds."""

import pathlib

from steersman.api import kinds
from steersman.apiserver import reference

FILE = pathlib.Path(__file__).parents[2] / "docs/reference/api.md"


def test_the_file_is_up_to_date():
    assert FILE.read_text() == reference.document(), "run script/api-reference"


def test_every_kind_and_subresource_is_in_it():
    text = reference.document()
    for row in kinds.BUILTIN:
        assert f"| {row.kind} |" in text
        assert f"`{row.plural}`" in text
        assert all(f"`{sub.name}` (" in text for sub in row.subresources)


def test_limits_are_of_kinds_there_are():
    assert set(reference.LIMITS) <= {row.resource for row in kinds.BUILTIN}
