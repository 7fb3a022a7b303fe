"""Go's sort: sorted, nothing lost, and what is equal where a real kubectl was seen to put it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.kubectl import go_sort


@settings(max_examples=50)
@given(st.lists(st.integers(0, 9), max_size=100))
def test_sorts(numbers: list[int]) -> None:
    assert go_sort.sort(numbers, lambda one, other: one < other) == sorted(numbers)


def order(keys: list[int]) -> list[int]:
    return go_sort.sort(range(len(keys)), lambda one, other: keys[one] < keys[other])


def test_few_keep_their_order() -> None:
    assert order([1, 0] * 6) == [1, 3, 5, 7, 9, 11, 0, 2, 4, 6, 8, 10]


def test_equal_ones_as_kubectl_printed_them() -> None:
    nodes = [2, 1, 2, 2, 1, 2, 2, 2, 2, 1, 1, 1, 1, 2, 1, 1, 1, 2]
    assert order(nodes) == [12, 10, 16, 15, 4, 14, 11, 9, 1, 5, 7, 6, 0, 13, 8, 3, 2, 17]


def test_an_order_that_contradicts_itself_ends() -> None:
    assert sorted(go_sort.sort(range(100), lambda one, other: True)) == list(range(100))
