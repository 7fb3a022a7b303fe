"""The scopes of a quota: which objects it counts at all."""

from collections.abc import Sequence

from steersman.meta.objects import Object


def of(quota: Object) -> list[Object]:
    """All its requirements: `spec.scopes` are ones that something exists."""
    spec = quota.get("spec") or {}
    plain = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    return [*plain, *((spec.get("scopeSelector") or {}).get("matchExpressions") or ())]


def matches(requirement: Object, values: Sequence[str]) -> bool:
    """Whether one of an object's values (its class names) is asked for; it may have none."""
    wanted = requirement.get("values") or ()
    match requirement.get("operator"):
        case "Exists":
            return bool(values)
        case "DoesNotExist":
            return not values
        case "In":
            return any(one in wanted for one in values)
        case "NotIn":
            return not values or any(one not in wanted for one in values)
    return False
