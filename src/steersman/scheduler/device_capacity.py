"""How much of a device's capacity a request takes: a pure function of the request and what the device says of its capacity.

Source: KEP-5075 (consumable capacity), upstream's rounding by request policies.
"""

from collections.abc import Mapping

from steersman.meta import quantities
from steersman.meta.objects import Object
from steersman.meta.quantities import Quantity

Amounts = Mapping[str, Quantity]
"""By the names that the device publishes."""


def consumed(driver: str, device: Object, requests: Mapping[str, object]) -> Amounts | None:
    """What the request takes of each capacity; None where the device has no such capacity, or gives no such amount of it."""
    capacity = device.get("capacity") or {}
    asked: dict[str, Quantity] = {}
    for name, amount in requests.items():
        published = _published(driver, name, capacity)
        if published is None or published in asked:
            return None
        asked[published] = quantities.parse(str(amount))
    found = {}
    for name, one in capacity.items():
        total, policy = quantities.parse(str(one["value"])), one.get("requestPolicy")
        taken = _taken(asked.get(name), total, policy)
        if taken.nanos < 0 or (policy is not None and not _is_allowed(taken, policy)) or taken.nanos > total.nanos:
            return None
        found[name] = taken
    return found


def _published(driver: str, name: str, capacity: Mapping[str, object]) -> str | None:
    """A name without a domain is the driver's."""
    if name in capacity:
        return name
    domain, _, short = name.rpartition("/")
    other = short if domain == driver else f"{driver}/{name}" if not domain else ""
    return other if other in capacity else None


def _taken(asked: Quantity | None, total: Quantity, policy: Object | None) -> Quantity:
    """Rounded up to what the policy allows; what nobody asks for is taken by default, or whole."""
    if asked is None:
        default = (policy or {}).get("default")
        return total if default is None else quantities.parse(str(default))
    within, values = (policy or {}).get("validRange"), (policy or {}).get("validValues")
    if within is not None and within.get("min") is not None:
        return _in_range(asked, within)
    known = (quantities.parse(str(value)) for value in values or ())
    return next((value for value in known if asked.nanos <= value.nanos), asked)


def _in_range(asked: Quantity, within: Object) -> Quantity:
    low = quantities.parse(str(within["min"]))
    if asked.nanos < low.nanos:
        return low
    if within.get("step") is None:
        return asked
    step = quantities.parse(str(within["step"]))
    steps = -(-(asked.nanos - low.nanos) // step.nanos)
    return Quantity(low.nanos + steps * step.nanos, step.form)


def _is_allowed(taken: Quantity, policy: Object) -> bool:
    default, within = policy.get("default"), policy.get("validRange")
    if default is not None and taken == quantities.parse(str(default)):
        return True
    if within is not None:
        return within.get("max") is None or taken.nanos <= quantities.parse(str(within["max"])).nanos
    values = policy.get("validValues")
    return not values or taken.nanos in {quantities.parse(str(value)).nanos for value in values}
