"""Roles and their bindings. Rules are taken apart and put together again, one line for each resource."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from steersman.kubectl.describe.writing import Description, go_list, head
from steersman.meta.objects import Object


class Rule(NamedTuple):
    """In the order in which lines are sorted."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    @classmethod
    def of(cls, rule: Object) -> "Rule":
        keys = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
        return cls(*(tuple(rule.get(key) or ()) for key in keys))

    def order(self) -> str:
        """The rule as Go prints it, by which upstream sorts."""
        titles = ("Verbs", "APIGroups", "Resources", "ResourceNames", "NonResourceURLs")
        return (
            f"&PolicyRule{{{''.join(f'{title}:{go_list(part)},' for title, part in zip(titles, self, strict=True))}}}"
        )


def role(d: Description, obj: Object) -> None:
    head(d, obj, namespace=False)
    d.write(0, "PolicyRule:\n")
    columns = ("Resources", "Non-Resource URLs", "Resource Names", "Verbs")
    d.row(1, *columns)
    d.row(1, *("-" * len(column) for column in columns))
    for rule in compact(Rule.of(one) for one in obj.get("rules") or ()):
        d.row(1, qualified(rule.resources, rule.groups), go_list(rule.urls), go_list(rule.names), go_list(rule.verbs))


def compact(rules: Iterable[Rule]) -> list[Rule]:
    """Each resource once, with all its verbs."""
    simple: dict[tuple[tuple[str, ...], ...], Rule] = {}
    others: list[Rule] = []
    for rule in rules:
        for part in _parts(rule):
            if part.urls:
                others.append(part)
                continue
            key = part[1:4]
            known = simple.get(key, part)
            simple[key] = known._replace(verbs=tuple(dict.fromkeys((*known.verbs, *part.verbs))))
    return sorted((*others, *simple.values()), key=Rule.order)


def _parts(rule: Rule) -> Iterator[Rule]:
    for group in rule.groups:
        for resource in rule.resources:
            for verb in rule.verbs:
                for name in rule.names or (None,):
                    yield Rule((verb,), (group,), (resource,), () if name is None else (name,))
    for url in rule.urls:
        for verb in rule.verbs:
            yield Rule((verb,), urls=(url,))


def qualified(resources: Sequence[str], groups: Sequence[str]) -> str:
    """`deployments.apps/scale`."""
    if not resources:
        return ""
    resource, slash, subresource = resources[0].partition("/")
    group = f".{groups[0]}" if groups and groups[0] else ""
    return f"{resource}{group}{slash}{subresource}"


def binding(d: Description, obj: Object) -> None:
    head(d, obj, namespace=False)
    reference = obj.get("roleRef") or {}
    d.write(0, "Role:\n")
    d.row(1, "Kind:", reference.get("kind", ""))
    d.row(1, "Name:", reference.get("name", ""))
    d.write(0, "Subjects:\n")
    d.row(1, "Kind", "Name", "Namespace")
    d.row(1, "----", "----", "---------")
    for subject in obj.get("subjects") or ():
        d.row(1, subject.get("kind", ""), subject.get("name", ""), subject.get("namespace", ""))
