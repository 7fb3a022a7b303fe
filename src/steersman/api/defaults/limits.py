"""Defaults of LimitRanges and ResourceQuotas."""

from steersman.meta.objects import Object


def default_limit_range(limit_range: Object) -> None:
    """For containers, the maximum is also the limit of those that say none, and the limit (else the minimum) their request."""
    for item in limit_range.setdefault("spec", {}).setdefault("limits", []) or ():
        if item.get("type") != "Container":
            continue
        limits = {**(item.get("max") or {}), **(item.get("default") or {})}
        requests = {**(item.get("min") or {}), **limits, **(item.get("defaultRequest") or {})}
        for field, amounts in (("default", limits), ("defaultRequest", requests)):
            if amounts:
                item[field] = amounts


def default_resource_quota(quota: Object) -> None:
    """One that says nothing limits nothing."""
    quota.setdefault("spec", {})
