import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.meta import indexes

numbers = st.sets(st.integers(0, 40))


@given(numbers, numbers)
def test_sets_of_numbers(one, other):
    found = indexes.of(one)
    text = indexes.format(found)
    assert indexes.union((), indexes.parse(text, 41)) == found
    assert indexes.count(found) == len(one)
    assert [number for number in range(45) if indexes.contains(found, number)] == sorted(one)
    assert indexes.union(found, indexes.of(other)) == indexes.of(one | other)
    assert indexes.overlap(found, indexes.of(other)) == min(one & other, default=None)
    assert indexes.parse_known(text, 20) == indexes.of(number for number in one if number < 20)


def test_format():
    assert indexes.format(indexes.of([7, 1, 3, 4, 5, 8])) == "1,3-5,7,8"


WRONG = {
    "word": ("a", 'cannot convert string to integer for index: "a"'),
    "empty part": ("1,,2", 'cannot convert string to integer for index: ""'),
    "backwards": ("3,1", "non-increasing order, previous: 3, current: 1"),
    "empty range": ("3-3", "non-increasing order, previous: 3, current: 3"),
    "too large": ("1-10", 'too large index: "10"'),
    "three": (
        "1-2-3",
        "the fragment \"1-2-3\" violates the requirement that an index interval can have at most two parts separated by '-'",
    ),
}


@pytest.mark.parametrize(("text", "expect"), WRONG.values(), ids=WRONG.keys())
def test_wrong(text, expect):
    with pytest.raises(indexes.IndexesError) as why:
        indexes.parse(text, 10)
    assert str(why.value) == expect
