"""Namespaces with their quotas and limits, resource quotas and limit ranges."""

from collections.abc import Sequence

from steersman.kubectl.describe.writing import (
    Description,
    head,
    metadata,
    name,
    quantity,
    resource_list,
    spec,
    status,
    timed_conditions,
)
from steersman.meta import quantities
from steersman.meta.objects import Object

_SCOPES = {
    "Terminating": "Matches all pods that have an active deadline. These pods have a limited lifespan on a node before"
    " being actively terminated by the system.",
    "NotTerminating": "Matches all pods that do not have an active deadline. These pods usually include long running pods"
    " whose container command is not expected to terminate.",
    "BestEffort": "Matches all pods that do not have resource requirements set."
    " These pods have a best effort quality of service.",
    "NotBestEffort": "Matches all pods that have at least one resource requirement set."
    " These pods have a burstable or guaranteed quality of service.",
}
_LIMIT_COLUMNS = ("Type", "Resource", "Min", "Max", "Default Request", "Default Limit", "Max Limit/Request Ratio")
_LIMIT_FIELDS = ("min", "max", "defaultRequest", "default", "maxLimitRequestRatio")


def namespace(d: Description, obj: Object) -> None:
    head(d, obj, namespace=False)
    d.row(0, "Status:", status(obj).get("phase", ""))
    if status(obj).get("conditions"):
        timed_conditions(d, status(obj)["conditions"])
    quotas, limits = d.seen.others.get("quotas"), d.seen.others.get("limits")
    if quotas is not None:
        d.write(0, "\n")
        _quotas(d, quotas)
    if limits is not None:
        d.write(0, "\n")
        _limits(d, limits)


def _quotas(d: Description, found: Sequence[Object]) -> None:
    if not found:
        d.write(0, "No resource quota.\n")
        return
    d.write(0, "Resource Quotas\n")
    for quota in sorted(found, key=lambda one: str(metadata(one).get("name", ""))):
        d.row(1, "Name:", metadata(quota).get("name", ""))
        _scopes(d, quota, 1, "* ")
        d.row(1, "Resource", "Used", "Hard")
        d.row(1, "--------", "---", "---")
        used = status(quota).get("used") or {}
        for key, hard in resource_list(status(quota).get("hard")):
            d.row(1, key, quantity(used.get(key)), hard)


def _scopes(d: Description, quota: Object, level: int, mark: str) -> None:
    scopes = sorted(spec(quota).get("scopes") or ())
    if scopes:
        d.row(level, "Scopes:", ", ".join(scopes))
    for scope in scopes:
        if scope in _SCOPES:
            d.write(level, f"{mark}{_SCOPES[scope]}\n")


def resource_quota(d: Description, obj: Object) -> None:
    name(d, obj)
    _scopes(d, obj, 0, " * ")
    d.row(0, "Resource", "Used", "Hard")
    d.row(0, "--------", "----", "----")
    used = status(obj).get("used") or {}
    for key, hard in resource_list(status(obj).get("hard")):
        d.row(0, key, _in_form_of(used.get(key, "0"), hard), hard)


def _in_form_of(value: str, other: str) -> str:
    parsed, form = quantities.parse(value), quantities.parse(other).form
    if parsed.form == form:
        return quantities.format(parsed)
    return quantities.format(quantities.Quantity(parsed.whole * quantities.NANOS, form))


def limit_range(d: Description, obj: Object) -> None:
    name(d, obj)
    d.row(0, *_LIMIT_COLUMNS)
    d.row(0, *_underlines())
    _limit_rows(d, obj, "")


def _underlines() -> list[str]:
    return ["-" * len(column) for column in _LIMIT_COLUMNS]


def _limits(d: Description, found: Sequence[Object]) -> None:
    if not found:
        d.write(0, "No LimitRange resource.\n")
        return
    columns = "\t".join(_LIMIT_COLUMNS)
    d.write(0, f"Resource Limits\n {columns}\n")
    lines = "\t".join(_underlines())
    d.write(0, f" {lines}\n")
    for one in found:
        _limit_rows(d, one, " ")


def _limit_rows(d: Description, obj: Object, indent: str) -> None:
    for item in spec(obj).get("limits") or ():
        amounts = [item.get(field) or {} for field in _LIMIT_FIELDS]
        for key in sorted({key for found in amounts for key in found}):
            cells = [quantity(found[key]) if key in found else "-" for found in amounts]
            d.row(0, f"{indent}{item.get('type', '')}", key, *cells)
