"""Sets of completion indexes as a Job's status writes them: `1,3-5,7`, in order and without gaps to close. Pure.

A set is a tuple of (first, last) intervals, so that a hundred thousand indexes cost little.
"""

from collections.abc import Iterable

Intervals = tuple[tuple[int, int], ...]


class IndexesError(ValueError):
    """The text is no such set; the message is upstream's."""


def parse(text: str, completions: int) -> Intervals:
    """Raises IndexesError, also for an index that is not below `completions`."""
    found: list[tuple[int, int]] = []
    for part in text.split(",") if text else ():
        first, last = _interval(part, completions)
        if found and found[-1][1] >= first:
            raise IndexesError(f"non-increasing order, previous: {found[-1][1]}, current: {first}")
        found.append((first, last))
    return tuple(found)


def parse_known(text: str, completions: int) -> Intervals:
    """Of a status that was written by a controller: what lies beyond `completions` (a Job that shrank) is left out."""
    found = []
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        low, high = int(first), min(int(last or first), completions - 1)
        if low <= high:
            found.append((low, high))
    return union((), tuple(found))


def of(numbers: Iterable[int]) -> Intervals:
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] + 1 == number:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return tuple(found)


def union(one: Intervals, other: Intervals) -> Intervals:
    found: list[tuple[int, int]] = []
    for first, last in sorted((*one, *other)):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return tuple(found)


def contains(intervals: Intervals, number: int) -> bool:
    """By bisection."""
    low, high = 0, len(intervals)
    while low < high:
        middle = (low + high) // 2
        if intervals[middle][1] < number:
            low = middle + 1
        else:
            high = middle
    return low < len(intervals) and intervals[low][0] <= number


def count(intervals: Intervals) -> int:
    return sum(last - first + 1 for first, last in intervals)


def overlap(one: Intervals, other: Intervals) -> int | None:
    """The first index in both."""
    for first, last in one:
        for low, high in other:
            if first <= high and low <= last:
                return max(first, low)
    return None


def format(intervals: Intervals) -> str:  # noqa: A001 — the module is used qualified
    """Two neighbours are a list (`1,2`), more are a range (`1-3`)."""
    parts = []
    for first, last in intervals:
        if first == last:
            parts.append(f"{first}")
        else:
            parts.append(f"{first}-{last}" if last > first + 1 else f"{first},{last}")
    return ",".join(parts)


def _interval(text: str, completions: int) -> tuple[int, int]:
    limits = text.split("-")
    if len(limits) > 2:
        raise IndexesError(
            f'the fragment "{text}" violates the requirement that an index interval can have at most two parts '
            "separated by '-'"
        )
    first = _index(limits[0], completions)
    if len(limits) == 1:
        return first, first
    last = _index(limits[1], completions)
    if first >= last:
        raise IndexesError(f"non-increasing order, previous: {first}, current: {last}")
    return first, last


def _index(text: str, completions: int) -> int:
    digits = text[1:] if text[:1] == "+" else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise IndexesError(f'cannot convert string to integer for index: "{text}"')
    if int(digits) >= completions:
        raise IndexesError(f'too large index: "{text}"')
    return int(digits)
