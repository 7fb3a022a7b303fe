"""Whether a toleration covers a taint. Source: "Taints and Tolerations" in the Kubernetes documentation."""

from collections.abc import Iterable, Mapping
from typing import Any

from steersman.scheduler.snapshot import Taint


def tolerates(tolerations: Iterable[Mapping[str, Any]], taint: Taint) -> bool:
    return any(_matches(toleration, taint) for toleration in tolerations)


def _matches(toleration: Mapping[str, Any], taint: Taint) -> bool:
    effect, key = toleration.get("effect"), toleration.get("key")
    if effect and effect != taint.effect:
        return False
    if key and key != taint.key:
        return False
    match toleration.get("operator") or "Equal":
        case "Exists":
            return True
        case "Equal":
            return bool(key) and (toleration.get("value") or "") == taint.value
        case "Gt":
            return _compares(taint.value, toleration.get("value"), above=True)
        case "Lt":
            return _compares(taint.value, toleration.get("value"), above=False)
        case _:
            return False


def _compares(value: str, than: Any, *, above: bool) -> bool:
    """KEP-5471: the taint's value is a whole number above (below) the toleration's."""
    try:
        return int(value) > int(than) if above else int(value) < int(than)
    except (TypeError, ValueError):
        return False
