"""Whether rights cover others: nobody may grant what they do not have. Pure.

Source: "Privilege escalation prevention" in "Using RBAC Authorization", upstream's ConfirmNoEscalation.
"""

import itertools
from collections.abc import Iterable, Sequence

from steersman.meta.objects import Object

_FIELDS = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
_SHOWN = (
    ("APIGroups", "apiGroups"),
    ("Resources", "resources"),
    ("NonResourceURLs", "nonResourceURLs"),
    ("ResourceNames", "resourceNames"),
    ("Verbs", "verbs"),
)
EVERYTHING = (
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
)


def missing(owned: Sequence[Object], wanted: Iterable[Object]) -> list[Object]:
    """What of `wanted` no rule of `owned` covers, as compact rules."""
    lacking = [one for rule in wanted for one in _simple(rule) if not any(_covers(rule, one) for rule in owned)]
    return _compact(lacking)


def shown(rules: Iterable[Object]) -> str:
    """A line for each rule, in upstream's form."""
    return "\n".join(sorted(_text(rule) for rule in rules))


def names(values: Iterable[str]) -> str:
    """A list of texts as Go's %q prints it."""
    return "[" + " ".join(f'"{one}"' for one in values) + "]"


def _simple(rule: Object) -> Iterable[Object]:
    """One verb, group, resource and name, or one verb and path, at a time."""
    verbs = rule.get("verbs") or ()
    for verb, path in itertools.product(verbs, rule.get("nonResourceURLs") or ()):
        yield {"verbs": [verb], "nonResourceURLs": [path]}
    named = [[name] for name in rule.get("resourceNames") or ()] or [[]]
    for verb, group, resource, name in itertools.product(
        verbs, rule.get("apiGroups") or (), rule.get("resources") or (), named
    ):
        one: Object = {"verbs": [verb], "apiGroups": [group], "resources": [resource]}
        yield one | ({"resourceNames": name} if name else {})


def _covers(rule: Object, one: Object) -> bool:
    """Whether a rule says at least what a simple one says."""
    verbs = rule.get("verbs") or ()
    if "*" not in verbs and one["verbs"][0] not in verbs:
        return False
    if "nonResourceURLs" in one:
        return any(_path_covers(path, one["nonResourceURLs"][0]) for path in rule.get("nonResourceURLs") or ())
    groups, own_names = rule.get("apiGroups") or (), rule.get("resourceNames") or ()
    if "*" not in groups and one["apiGroups"][0] not in groups:
        return False
    if own_names and (one.get("resourceNames") or [""])[0] not in own_names:
        return False
    resource = one["resources"][0]
    wide = {"*", resource}
    if "/" in resource:
        wide.add("*/" + resource.partition("/")[2])
    return not wide.isdisjoint(rule.get("resources") or ())


def _path_covers(own: str, path: str) -> bool:
    return own == path or (own.endswith("*") and path.rstrip("*").startswith(own[:-1]))


def _compact(simple: list[Object]) -> list[Object]:
    """Rules that differ in their verb only, as one."""
    found: dict[tuple[object, ...], Object] = {}
    for rule in simple:
        key = tuple(tuple(rule.get(field) or ()) for field in _FIELDS if field != "verbs")
        known = found.setdefault(key, {**rule, "verbs": []})
        if rule["verbs"][0] not in known["verbs"]:
            known["verbs"].append(rule["verbs"][0])
    return list(found.values())


def _text(rule: Object) -> str:
    parts = (f"{label}:{names(rule[field])}" for label, field in _SHOWN if rule.get(field))
    return "{" + ", ".join(parts) + "}"
