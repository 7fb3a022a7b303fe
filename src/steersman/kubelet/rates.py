"""How fast counters grow, from what they were when somebody looked before."""

import datetime
from collections.abc import Iterable
from typing import NamedTuple

LEAST_SECONDS = 1.0  # between two looks; what is nearer tells nothing


class Counter(NamedTuple):
    """`began_at`: when it was 0, where somebody knows."""

    at: datetime.datetime
    value: int
    began_at: datetime.datetime | None = None


class Rates:
    """Of whatever has a name."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[datetime.datetime, int]] = {}
        self._rates: dict[str, int] = {}

    def look(self, counters: Iterable[tuple[str, Counter]]) -> dict[str, int]:
        """Per second, of those where it can be told. The others of before are forgotten."""
        seen, rates = {}, {}
        for name, one in counters:
            before = self._seen.get(name) or ((one.began_at, 0) if one.began_at is not None else None)
            seen[name] = (one.at, one.value)
            if before is None:
                continue
            seconds = (one.at - before[0]).total_seconds()
            if seconds >= LEAST_SECONDS:
                rates[name] = max(0, int((one.value - before[1]) / seconds))
                continue
            seen[name] = before
            if name in self._rates:
                rates[name] = self._rates[name]
        self._seen, self._rates = seen, rates
        return rates
