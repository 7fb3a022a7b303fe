"""How many requests of each priority level may run at one time: by their shares, and by who needs more than others. Pure.

Source: "API Priority and Fairness", and KEP-1040 on borrowing.
"""

import dataclasses
import math
from collections.abc import Mapping

from steersman.meta.objects import Object

_ROUNDING = 1e-6
_STEPS = 50  # of the search for the fair fraction: far below one seat


@dataclasses.dataclass(frozen=True, slots=True)
class Seats:
    """`nominal` by the shares, `lower` and `upper` with everything lent or borrowed."""

    nominal: int
    lower: int
    upper: int


def seats(levels: Mapping[str, Object], total: int) -> dict[str, Seats]:
    """By name of the level; `levels` are specs."""
    of_type = {name: spec.get("limited") or spec.get("exempt") or {} for name, spec in levels.items()}
    whole = sum(one.get("nominalConcurrencyShares") or 0 for one in of_type.values()) or 1
    found = {}
    for name, one in of_type.items():
        nominal = math.ceil(total * (one.get("nominalConcurrencyShares") or 0) / whole)
        lendable = round(nominal * (one.get("lendablePercent") or 0) / 100)
        borrowing = one.get("borrowingLimitPercent")
        upper = total if borrowing is None else nominal + round(nominal * borrowing / 100)
        found[name] = Seats(nominal, nominal - lendable, max(upper, nominal))
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class Need:
    """Of a limited level: `demand` is the most that ran and waited at one time since the last look."""

    seats: Seats
    demand: int

    @property
    def least(self) -> int:
        """What it keeps whatever others need."""
        return max(self.seats.lower, min(self.seats.nominal, self.demand))


def allocate(needs: Mapping[str, Need], total: int) -> dict[str, int]:
    """The current limits: what is lent goes to those that need it, in proportion to their needs, within their limits."""

    def at(fraction: float) -> dict[str, float]:
        return {
            name: min(need.seats.upper, max(need.least, fraction * max(need.demand, need.least)))
            for name, need in needs.items()
        }

    low, high = 0.0, float(total)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if sum(at(middle).values()) > total:
            high = middle
        else:
            low = middle
    return {name: max(1, int(value + _ROUNDING)) if needs[name].seats.upper else 0 for name, value in at(low).items()}
