"""Disruption budgets and priority classes."""

from steersman.kubectl.describe import events
from steersman.kubectl.describe.writing import (
    UNSET,
    Description,
    flag,
    metadata,
    name,
    pairs_text,
    selector_text,
    spec,
    status,
)
from steersman.meta.objects import Object


def disruption_budget(d: Description, obj: Object) -> None:
    name(d, obj)
    wanted, seen = spec(obj), status(obj)
    if wanted.get("minAvailable") is not None:
        d.row(0, "Min available:", wanted["minAvailable"])
    elif wanted.get("maxUnavailable") is not None:
        d.row(0, "Max unavailable:", wanted["maxUnavailable"])
    d.row(0, "Selector:", UNSET if wanted.get("selector") is None else selector_text(wanted["selector"]))
    d.write(0, "Status:\n")
    for title, key in (
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ):
        d.row(2, f"{title}:", seen.get(key, 0))
    events.write(d)


def priority_class(d: Description, obj: Object) -> None:
    d.row(0, "Name:", metadata(obj).get("name", ""))
    d.row(0, "Value:", obj.get("value", 0))
    d.row(0, "GlobalDefault:", flag(obj.get("globalDefault")))
    d.row(0, "PreemptionPolicy:", obj.get("preemptionPolicy", ""))
    d.row(0, "Description:", obj.get("description", ""))
    d.row(0, "Annotations:", pairs_text(metadata(obj).get("annotations")))
    events.write(d)
