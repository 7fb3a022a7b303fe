"""Resource lists (`cpu: 500m`) as exact amounts by name."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from steersman.meta import quantities
from steersman.meta.quantities import Quantity

Amounts = dict[str, Quantity]

ONE = Quantity(quantities.NANOS)
ZERO = Quantity(0)


def parse(listed: Mapping[str, Any] | None) -> Amounts:
    return {name: quantities.parse(value) for name, value in (listed or {}).items()}


def format(amounts: Amounts) -> dict[str, str]:  # noqa: A001 — the module is used qualified
    return {name: quantities.format(amount) for name, amount in amounts.items()}


def shown(amounts: Amounts) -> str:
    """As messages show them: `cpu=1,pods=5`."""
    return ",".join(f"{name}={quantities.format(amount)}" for name, amount in sorted(amounts.items()))


def count(number: int) -> Quantity:
    return Quantity(number * quantities.NANOS)


def plus(left: Quantity, right: Quantity) -> Quantity:
    """Written in the form of the left one, unless that is nothing."""
    return Quantity(left.nanos + right.nanos, left.form if left.nanos else right.form)


def add(left: Amounts, right: Amounts) -> Amounts:
    return {**left, **{name: plus(left[name], more) if name in left else more for name, more in right.items()}}


def total(listed: Iterable[Amounts]) -> Amounts:
    found: Amounts = {}
    for one in listed:
        found = add(found, one)
    return found


def greatest(left: Amounts, right: Amounts) -> Amounts:
    return {**left, **{name: max(left.get(name, amount), amount) for name, amount in right.items()}}


def increase(new: Amounts, old: Amounts) -> Amounts:
    """What `new` has more than `old`; 0 where it has less."""
    return {
        name: Quantity(max(0, amount.nanos - old[name].nanos), amount.form) if name in old else amount
        for name, amount in new.items()
    }


def only(amounts: Amounts, names: Collection[str]) -> Amounts:
    return {name: amount for name, amount in amounts.items() if name in names}


def without_zeros(amounts: Amounts) -> Amounts:
    return {name: amount for name, amount in amounts.items() if amount.nanos}


def beyond(amounts: Amounts, limits: Amounts) -> list[str]:
    """The names of which there is more than allowed."""
    return [name for name, limit in limits.items() if name in amounts and amounts[name] > limit]
