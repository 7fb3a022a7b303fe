"""Whether a webhook or a policy wants to see a write, and in which version of its kind.

Rules are matched once per kind, subresource and operation; selectors for each write.
Source: "Matching requests" in Dynamic Admission Control: rules, matchPolicy, namespaceSelector, objectSelector.
"""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import decoded
from steersman.apiserver.admission import rules
from steersman.apiserver.admission.plugin import Review
from steersman.meta import errors, selectors
from steersman.meta.objects import Object

_OWN_LABELS = frozenset(("CREATE", "UPDATE"))


class Equivalents(Protocol):
    """The versions in which an object can be seen."""

    def others(self, kind: Kind) -> Sequence[Kind]:
        """The other rows that show the same objects."""

    async def convert(self, obj: Object, kind: Kind, wanted: Kind) -> Object:
        """An object of `kind` as one of `wanted`: a new object. Raises StatusError."""


@dataclasses.dataclass(frozen=True, slots=True)
class Criteria:
    """What a configuration says about the writes it wants to see."""

    rules: tuple[Object, ...]
    excluded: tuple[Object, ...]
    exact: bool
    namespaces: selectors.Selector
    objects: selectors.Selector


def criteria(config: Object) -> Criteria:
    """Of a webhook, or of the matchConstraints of a policy or matchResources of its binding."""
    return Criteria(
        tuple(config.get("rules") or config.get("resourceRules") or ()),
        tuple(config.get("excludeResourceRules") or ()),
        config.get("matchPolicy") == "Exact",
        selectors.from_object(config.get("namespaceSelector") or {}),
        selectors.from_object(config.get("objectSelector") or {}),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Match:
    """`kind` is the version the object is to be seen in, `rule` the rule that said so."""

    kind: Kind
    rule: Object


def of_rules(
    wanted: Sequence[Object], exact: bool, others: Sequence[Kind], kind: Kind, asked: rules.Asked
) -> Match | None:
    """The version that the rules name: the one of the request, or else an equivalent one, by the earliest rule."""
    found = rules.first(wanted, asked)
    if found is not None:
        return Match(kind, found)
    if exact:
        return None
    for rule in wanted:
        for other in others:
            if rules.matches(rule, rules.asked_of(other, asked.subresource, asked.operation)):
                return Match(other, rule)
    return None


class Matcher:
    """The selectors' part, and which namespace a write is in."""

    def __init__(self, objects: decoded.DecodedObjects) -> None:
        self._objects = objects

    async def selects(self, wanted: Criteria, review: Review) -> bool:
        """Raises StatusError 404 where the namespace, whose labels are asked for, is not there."""
        if not wanted.objects.is_everything and not _selects_object(wanted.objects, review):
            return False
        if wanted.namespaces.is_everything:
            return True
        if not review.namespace:
            return True  # what is in no namespace is never exempt by its namespace
        return wanted.namespaces.matches(await self._labels(review))

    async def namespace(self, review: Review) -> Object | None:
        """The namespace object a write is in; None for cluster-scoped kinds. Raises StatusError 404."""
        name = review.namespace
        if not name:
            return None
        found = await self._objects.get(kinds.NAMESPACE, "", name)
        if found is None:
            raise errors.not_found("namespaces", name)
        return found

    async def _labels(self, review: Review) -> dict[str, str]:
        call = review.call
        if call.kind is kinds.NAMESPACE and not call.target.subresource and review.operation in _OWN_LABELS:
            return _labels_of(review.new)
        found = await self.namespace(review)
        return _labels_of(found) if found is not None else {}


def _selects_object(selector: selectors.Selector, review: Review) -> bool:
    """The new state or the old one: nothing gets out of sight by a change of its labels."""
    return any(obj is not None and selector.matches(_labels_of(obj)) for obj in (review.obj, review.old))


def _labels_of(obj: Object) -> dict[str, str]:
    return (obj.get("metadata") or {}).get("labels") or {}
