"""Defaults of FlowSchemas and PriorityLevelConfigurations."""

from steersman.meta.objects import Object

_QUEUING = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}


def default_schema(schema: Object) -> None:
    spec = schema.setdefault("spec", {})
    spec["matchingPrecedence"] = spec.get("matchingPrecedence") or 1000


def default_level(level: Object) -> None:
    spec = level.setdefault("spec", {})
    exempt, limited = spec.get("exempt"), spec.get("limited")
    if exempt is not None:
        _fill(exempt, {"nominalConcurrencyShares": 0, "lendablePercent": 0})
    if limited is not None:
        _fill(limited, {"nominalConcurrencyShares": 30, "lendablePercent": 0})
        queuing = (limited.get("limitResponse") or {}).get("queuing")
        if queuing is not None:
            for field, value in _QUEUING.items():
                queuing[field] = queuing.get(field) or value


def _fill(obj: Object, values: dict[str, int]) -> None:
    for field, value in values.items():
        if obj.get(field) is None:
            obj[field] = value
