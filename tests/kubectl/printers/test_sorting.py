"""The order that --sort-by makes."""

from typing import Any

import pytest

from steersman.kubectl.printers import sorting


def ordered(values: list[Any], field: str = ".spec.x") -> list[Any]:
    objects = [{"spec": {} if value is ... else {"x": value}} for value in values]
    return sorting.sort(values, objects, field)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3, 1, 2], [1, 2, 3]),
        ([2.5, 1.5], [1.5, 2.5]),
        (["pod-9", "pod-10", "pod-1"], ["pod-1", "pod-10", "pod-9"]),
        (["b", "B", "a", "1"], ["1", "B", "a", "b"]),
        (["1Gi", "500Mi", "2G"], ["500Mi", "1Gi", "2G"]),
        (["100m", "1", "0.5"], ["100m", "0.5", "1"]),
        ([2, ..., 1], [..., 1, 2]),
        ([None, 1, ...], [..., None, 1]),
    ],
    ids=str,
)
def test_order(values: list[Any], expected: list[Any]) -> None:
    assert ordered(values) == expected


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ([True, False], ".spec.x", "unsortable type: bool"),
        ([1], ".spec.y", 'couldn\'t find any field with path "{.spec.y}" in the list of objects'),
        ([1], "{a}{b}", "unexpected path string, expected a 'name1.name2'"),
        ([1], ".spec[", "unterminated array"),
    ],
)
def test_what_cannot_be_sorted(values: list[Any], field: str, said: str) -> None:
    with pytest.raises(sorting.SortError) as caught:
        ordered(values, field)
    assert said in str(caught.value)
