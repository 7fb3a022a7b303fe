"""Node labels as columns of numbers, one per label key that some pod has asked about.

A value is interned as a number, so that a selector over all nodes is one comparison of an array.
Columns are made when first asked for and kept up to date from then on.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

ABSENT = -1

Ids = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


class LabelColumns:
    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._labels: dict[int, Mapping[str, str]] = {}  # row → labels
        self._columns: dict[str, Ids] = {}
        self._ids: dict[str, int] = {}
        self._values: list[str] = []

    def set(self, row: int, labels: Mapping[str, str]) -> None:
        self._labels[row] = labels
        for key, column in self._columns.items():
            column[row] = self._id_of(labels.get(key))

    def of_row(self, row: int) -> Mapping[str, str]:
        return self._labels.get(row, {})

    def remove(self, row: int) -> None:
        self._labels.pop(row, None)
        for column in self._columns.values():
            column[row] = ABSENT

    def grow(self, capacity: int) -> None:
        for key, column in self._columns.items():
            self._columns[key] = np.concatenate([column, np.full(capacity - self._capacity, ABSENT, np.int32)])
        self._capacity = capacity

    def of(self, key: str) -> Ids:
        """Per row the number of the value of label `key`, or ABSENT. Owned by this object: read only."""
        column = self._columns.get(key)
        if column is None:
            column = self._columns[key] = np.full(self._capacity, ABSENT, np.int32)
            for row, labels in self._labels.items():
                column[row] = self._id_of(labels.get(key))
        return column

    @property
    def values_known(self) -> int:
        """Every number in a column is below this."""
        return len(self._values)

    def has(self, key: str) -> Mask:
        mask: Mask = self.of(key) != ABSENT
        return mask

    def is_one_of(self, key: str, values: Iterable[str]) -> Mask:
        column = self.of(key)
        wanted = [self._ids[value] for value in values if value in self._ids]
        if not wanted:
            return np.zeros(self._capacity, np.bool_)
        mask: Mask = column == wanted[0] if len(wanted) == 1 else np.isin(column, wanted)
        return mask

    def compares(self, key: str, than: int, *, greater: bool) -> Mask:
        """Gt and Lt: where the value is a whole number above (below) `than`."""
        column = self.of(key)
        passing = [number for number in np.unique(column) if self._compares(int(number), than, greater)]
        return np.isin(column, passing)

    def _compares(self, number: int, than: int, greater: bool) -> bool:
        if number == ABSENT:
            return False
        value = self._values[number]
        digits = value[1:] if value[:1] in ("+", "-") else value
        if not (digits.isascii() and digits.isdigit()):
            return False
        return int(value) > than if greater else int(value) < than

    def _id_of(self, value: str | None) -> int:
        if value is None:
            return ABSENT
        number = self._ids.get(value)
        if number is None:
            number = self._ids[value] = len(self._values)
            self._values.append(value)
        return number
