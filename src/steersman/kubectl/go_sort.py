"""Go's `sort.Sort`: what is equal ends up where Go's pattern-defeating quicksort puts it, which is the order kubectl prints.

Python's own sort keeps equal things in order; Go's does not once there are more than twelve. Source: Go's package sort.
"""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

_INSERTION_MAX = 12  # so few are sorted by insertion
_NINTHER_MIN = 50  # from here on the pivot is the median of three medians
_SWAPS_MAX = 12  # as many swaps in choosing a pivot: everything is the wrong way round
_STEPS_MAX = 5  # out-of-order pairs that are mended before it counts as unsorted
_SHIFT_MIN = 50  # shorter ranges are not mended
_MASK = 2**64 - 1


def sort(items: Iterable[T], less: Callable[[T, T], bool]) -> list[T]:
    """A new list. `less` is asked in Go's order, so that it need not be consistent."""
    found = list(items)
    if len(found) > 1:
        _Sort(found, less).sort_range(0, len(found), len(found).bit_length())
    return found


class _Sort(Generic[T]):
    def __init__(self, items: list[T], less: Callable[[T, T], bool]) -> None:
        self._items = items
        self._is_less = less

    def _less(self, i: int, j: int) -> bool:
        return self._is_less(self._items[i], self._items[j])

    def _swap(self, i: int, j: int) -> None:
        items = self._items
        items[i], items[j] = items[j], items[i]

    def sort_range(self, a: int, b: int, limit: int) -> None:
        """Sort `items[a:b]`; after `limit` bad pivots by a heap."""
        balanced = partitioned = True
        while b - a > _INSERTION_MAX:
            length = b - a
            if not limit:
                self._heap(a, b)
                return
            if not balanced:
                self._break_patterns(a, b)
                limit -= 1
            pivot, swaps = self._pivot(a, b)
            if swaps == _SWAPS_MAX:
                self._items[a:b] = self._items[a:b][::-1]
                pivot = (b - 1) - (pivot - a)
            looks_sorted = swaps in (0, _SWAPS_MAX)
            if balanced and partitioned and looks_sorted and self._mend(a, b):
                return
            if a > 0 and not self._less(a - 1, pivot):
                a = self._partition_equal(a, b, pivot)
                continue
            middle, partitioned = self._partition(a, b, pivot)
            left, right = middle - a, b - middle
            balanced = min(left, right) >= length // 8
            if left < right:
                self.sort_range(a, middle, limit)
                a = middle + 1
            else:
                self.sort_range(middle + 1, b, limit)
                b = middle
        self._insert(a, b)

    def _insert(self, a: int, b: int) -> None:
        for i in range(a + 1, b):
            j = i
            while j > a and self._less(j, j - 1):
                self._swap(j, j - 1)
                j -= 1

    def _heap(self, a: int, b: int) -> None:
        size = b - a
        for i in range((size - 1) // 2, -1, -1):
            self._sift(i, size, a)
        for i in range(size - 1, -1, -1):
            self._swap(a, a + i)
            self._sift(0, i, a)

    def _sift(self, root: int, size: int, first: int) -> None:
        while (child := 2 * root + 1) < size:
            if child + 1 < size and self._less(first + child, first + child + 1):
                child += 1
            if not self._less(first + root, first + child):
                return
            self._swap(first + root, first + child)
            root = child

    def _pivot(self, a: int, b: int) -> tuple[int, int]:
        """Where it is, and how many swaps it took to find it."""
        quarter = (b - a) // 4
        places = [a + quarter, a + quarter * 2, a + quarter * 3]
        swaps = 0
        if b - a >= _NINTHER_MIN:
            for which, at in enumerate(places):
                places[which], more = self._median(at - 1, at, at + 1)
                swaps += more
        found, more = self._median(*places)
        return found, swaps + more

    def _median(self, a: int, b: int, c: int) -> tuple[int, int]:
        swaps = 0
        if self._less(b, a):
            a, b, swaps = b, a, swaps + 1
        if self._less(c, b):
            b, c, swaps = c, b, swaps + 1
        if self._less(b, a):
            a, b, swaps = b, a, swaps + 1
        return b, swaps

    def _partition(self, a: int, b: int, pivot: int) -> tuple[int, bool]:
        """Where the pivot ends up, and whether all was in place."""
        self._swap(a, pivot)
        i, j, in_place = a + 1, b - 1, True
        while True:
            while i <= j and self._less(i, a):
                i += 1
            while i <= j and not self._less(j, a):
                j -= 1
            if i > j:
                self._swap(j, a)
                return j, in_place
            self._swap(i, j)
            i, j, in_place = i + 1, j - 1, False

    def _partition_equal(self, a: int, b: int, pivot: int) -> int:
        """What equals the pivot, then what is greater, whose beginning is returned."""
        self._swap(a, pivot)
        i, j = a + 1, b - 1
        while True:
            while i <= j and not self._less(a, i):
                i += 1
            while i <= j and self._less(a, j):
                j -= 1
            if i > j:
                return i
            self._swap(i, j)
            i, j = i + 1, j - 1

    def _mend(self, a: int, b: int) -> bool:
        """Put the few right that are not; whether all are now."""
        i = a + 1
        for _ in range(_STEPS_MAX):
            while i < b and not self._less(i, i - 1):
                i += 1
            if i == b:
                return True
            if b - a < _SHIFT_MIN:
                return False
            self._swap(i, i - 1)
            self._shift(i, a, b)
        return False

    def _shift(self, i: int, a: int, b: int) -> None:
        """The smaller one to the left, the greater one to the right."""
        if i - a >= 2:
            for j in range(i - 1, 0, -1):
                if not self._less(j, j - 1):
                    break
                self._swap(j, j - 1)
        if b - i >= 2:
            for j in range(i + 1, b):
                if not self._less(j, j - 1):
                    break
                self._swap(j, j - 1)

    def _break_patterns(self, a: int, b: int) -> None:
        """Scatter three elements, by a number that only the length makes."""
        length = b - a
        number = length
        at = a + (length // 4) * 2 - 1
        for i in range(3):
            number ^= (number << 13) & _MASK
            number ^= number >> 7
            number ^= (number << 17) & _MASK
            other = number & ((1 << length.bit_length()) - 1)
            self._swap(at + i, a + (other - length if other >= length else other))
