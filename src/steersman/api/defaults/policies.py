"""Defaults of admission policies and their bindings."""

from steersman.meta.objects import Object


def default_policy(policy: Object) -> None:
    spec = policy.get("spec")
    if spec is None:
        return
    spec.setdefault("failurePolicy", "Fail")
    _match_resources(spec.get("matchConstraints"))


def default_binding(binding: Object) -> None:
    _match_resources((binding.get("spec") or {}).get("matchResources"))


def _match_resources(match: Object | None) -> None:
    if match is None:
        return
    match.setdefault("matchPolicy", "Equivalent")
    for field in ("namespaceSelector", "objectSelector"):
        if match.get(field) is None:
            match[field] = {}
    for field in ("resourceRules", "excludeResourceRules"):
        for rule in match.get(field) or ():
            rule.setdefault("scope", "*")
