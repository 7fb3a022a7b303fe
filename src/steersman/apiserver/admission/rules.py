"""Which writes the rules of a webhook or a policy are about. Pure.

Source: admissionregistration.k8s.io/v1 RuleWithOperations and NamedRuleWithOperations, "Dynamic Admission Control".
"""

import dataclasses
from collections.abc import Iterable

from steersman.api.kind import Kind
from steersman.meta.objects import Object

GROUP = "admissionregistration.k8s.io"
ANY = "*"


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What a rule looks at. Namespaces themselves are not namespaced."""

    group: str
    version: str
    resource: str
    subresource: str
    operation: str
    namespaced: bool


def asked_of(kind: Kind, subresource: str, operation: str) -> Asked:
    return Asked(kind.group, kind.version, kind.plural, subresource, operation, kind.namespaced)


def is_exempt(kind: Kind) -> bool:
    """Configurations of admission itself are never admitted by webhooks and policies: a bad one could not be mended."""
    return kind.group == GROUP


def first(rules: Iterable[Object], asked: Asked) -> Object | None:
    """The first rule that is about it."""
    return next((rule for rule in rules if matches(rule, asked)), None)


def matches(rule: Object, asked: Asked) -> bool:
    return (
        _is_in_scope(rule.get("scope") or ANY, asked.namespaced)
        and _has(rule.get("operations"), asked.operation)
        and _has(rule.get("apiGroups"), asked.group)
        and _has(rule.get("apiVersions"), asked.version)
        and any(_is_resource(text, asked.resource, asked.subresource) for text in rule.get("resources") or ())
    )


def has_name(rule: Object, name: str) -> bool:
    """Whether a policy's rule is about objects of this name: of all, where it lists none."""
    names = rule.get("resourceNames")
    return not names or name in names


def _is_in_scope(scope: str, namespaced: bool) -> bool:
    return scope == ANY or (scope == "Namespaced") == namespaced


def _has(listed: list[str] | None, wanted: str) -> bool:
    return any(one in (ANY, wanted) for one in listed or ())


def _is_resource(text: str, resource: str, subresource: str) -> bool:
    """`pods`, `pods/*` (pods themselves too), `*/scale`; `*` alone means no subresource."""
    of_rule, _, sub = text.partition("/")
    return of_rule in (ANY, resource) and sub in (ANY, subresource)
