"""What a role or a binding must become so that it grants at least (or exactly) what a file says. Pure.

Rules are compared by what they allow, not by how they are written. Source: component-helpers' auth/rbac/reconciliation.
"""

import copy
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from steersman.meta.objects import Object

Operation = Literal["", "create", "update", "recreate"]

_PROTECTED = "rbac.authorization.kubernetes.io/autoupdate"
_RULE_FIELDS = (
    ("Verbs", "verbs"),
    ("APIGroups", "apiGroups"),
    ("Resources", "resources"),
    ("ResourceNames", "resourceNames"),
    ("NonResourceURLs", "nonResourceURLs"),
)
_SUBJECT_FIELDS = (("Kind", "kind"), ("APIGroup", "apiGroup"), ("Name", "name"), ("Namespace", "namespace"))


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """The object as it shall be, how it gets there, and what that changes: rules of roles, subjects of bindings."""

    object: Object
    operation: Operation = ""
    is_protected: bool = False
    missing: Sequence[Object] = ()
    extra: Sequence[Object] = ()


def decide(existing: Object | None, wanted: Object, *, remove_extra: bool) -> Result:
    """`wanted` is what the file says; `existing` None where the server has no such object."""
    is_binding = "roleRef" in wanted
    part = "subjects" if is_binding else "rules"
    if existing is None:
        return Result(wanted, "create", missing=wanted.get(part) or ())
    is_protected = (existing["metadata"].get("annotations") or {}).get(_PROTECTED) == "false"
    if is_binding and _role(existing) != _role(wanted):
        return Result(wanted, "recreate", is_protected)
    changed = copy.deepcopy(existing)
    _merge_metadata(changed, wanted)
    operation: Operation = "update" if changed != existing else ""
    missing, extra = (_subjects if is_binding else _rules)(existing, wanted)
    if remove_extra and (missing or extra):
        changed[part] = wanted.get(part) or []
        operation = "update"
    elif missing:
        changed[part] = [*(existing.get(part) or ()), *missing]
        operation = "update"
    if not is_binding and _merge_aggregation(changed, wanted, remove_extra=remove_extra):
        operation = "update"
    return Result(changed, operation, is_protected, missing, extra)


def _merge_metadata(changed: Object, wanted: Object) -> None:
    """What the server has stays; what only the file has is added."""
    for key in ("annotations", "labels"):
        merged = {**(wanted["metadata"].get(key) or {}), **(changed["metadata"].get(key) or {})}
        if merged:
            changed["metadata"][key] = merged


def _role(binding: Object) -> tuple[str, str, str]:
    reference = binding.get("roleRef") or {}
    return reference.get("apiGroup", ""), reference.get("kind", ""), reference.get("name", "")


def _subjects(existing: Object, wanted: Object) -> tuple[list[Object], list[Object]]:
    here, there = wanted.get("subjects") or [], existing.get("subjects") or []
    return _only_first(here, there), _only_first(there, here)


def _only_first(first: Sequence[Object], second: Sequence[Object]) -> list[Object]:
    known = set(map(_subject, second))
    return list({_subject(one): one for one in reversed(first) if _subject(one) not in known}.values())[::-1]


def _subject(one: Object) -> tuple[str, ...]:
    """As it is written: a group that is left out is another than the one it stands for, as upstream has it."""
    return one.get("kind", ""), one.get("apiGroup", ""), one.get("name", ""), one.get("namespace", "")


def _rules(existing: Object, wanted: Object) -> tuple[list[Object], list[Object]]:
    if wanted.get("aggregationRule") is not None:
        return [], []  # a controller fills in the rules
    here, there = wanted.get("rules") or [], existing.get("rules") or []
    return list(uncovered(there, here)), list(uncovered(here, there))


def _merge_aggregation(changed: Object, wanted: Object, *, remove_extra: bool) -> bool:
    here = (wanted.get("aggregationRule") or {}).get("clusterRoleSelectors") or []
    there = (changed.get("aggregationRule") or {}).get("clusterRoleSelectors") or []
    missing, extra = [one for one in here if one not in there], [one for one in there if one not in here]
    if remove_extra and (missing or extra):
        selectors = here
    elif missing:
        selectors = [*there, *missing]
    else:
        return False
    changed["aggregationRule"] = {"clusterRoleSelectors": selectors}
    return True


def uncovered(owner: Sequence[Object], asked: Iterable[Object]) -> Iterator[Object]:
    """The smallest parts of `asked` that no rule of `owner` allows."""
    for rule in asked:
        for part in _parts(rule):
            if not any(_covers(one, part) for one in owner):
                yield part


def _parts(rule: Object) -> Iterator[Object]:
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            for verb in rule.get("verbs") or ():
                part = {"verbs": [verb], "apiGroups": [group], "resources": [resource]}
                names = rule.get("resourceNames") or ()
                yield from [{**part, "resourceNames": [name]} for name in names] or [part]
    for url in rule.get("nonResourceURLs") or ():
        for verb in rule.get("verbs") or ():
            yield {"verbs": [verb], "nonResourceURLs": [url]}


def _covers(owner: Object, part: Object) -> bool:
    names, asked = owner.get("resourceNames") or [], part.get("resourceNames") or []
    return (
        _has_all(owner.get("verbs"), part.get("verbs"))
        and _has_all(owner.get("apiGroups"), part.get("apiGroups"))
        and all(_has_resource(owner.get("resources") or [], one) for one in part.get("resources") or ())
        and all(_has_url(owner.get("nonResourceURLs") or [], one) for one in part.get("nonResourceURLs") or ())
        and (not names or (bool(asked) and set(asked) <= set(names)))
    )


def _has_all(owned: Sequence[str] | None, asked: Sequence[str] | None) -> bool:
    return "*" in (owned or ()) or set(asked or ()) <= set(owned or ())


def _has_resource(owned: Sequence[str], asked: str) -> bool:
    subresource = asked.partition("/")[2]
    return "*" in owned or asked in owned or (bool(subresource) and f"*/{subresource}" in owned)


def _has_url(owned: Sequence[str], asked: str) -> bool:
    return any(asked == one or (one.endswith("*") and asked.startswith(one[:-1])) for one in owned)


def rule_text(rule: Object) -> str:
    """A rule as Go prints the struct."""
    fields = [f"{title}:[{' '.join(rule.get(key) or ())}]" for title, key in _RULE_FIELDS]
    return f"{{{' '.join(fields)}}}"


def subject_text(subject: Object) -> str:
    fields = [f"{title}:{subject.get(key) or ''}" for title, key in _SUBJECT_FIELDS]
    return f"{{{' '.join(fields)}}}"
