"""Pod affinity terms: which pods a term speaks of, and over which topology.

Source: "Inter-pod affinity and anti-affinity" in the Kubernetes documentation, KEP-2249 (namespaceSelector),
KEP-3633 (matchLabelKeys, mismatchLabelKeys).
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from steersman.meta import objects, selectors
from steersman.meta.objects import Object
from steersman.meta.selectors import Requirement, Selector

NamespaceLabels = Callable[[str], Mapping[str, str]]


@dataclasses.dataclass(frozen=True, slots=True)
class Who:
    """Pods of `namespaces`, and of namespaces whose labels `namespace_selector` matches, with labels that `selector` matches."""

    namespaces: frozenset[str]
    namespace_selector: Selector
    selector: Selector

    def matches(self, namespace: str, labels: Mapping[str, str], labels_of: NamespaceLabels) -> bool:
        if namespace not in self.namespaces and not self.namespace_selector.matches(labels_of(namespace)):
            return False
        return self.selector.matches(labels)


@dataclasses.dataclass(frozen=True, slots=True)
class Term:
    """`weight` is 0 for a required term, negative for one that pods would rather be away from."""

    who: Who
    topology_key: str
    weight: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Terms:
    """All a pod says about other pods."""

    near: tuple[Term, ...] = ()
    away: tuple[Term, ...] = ()
    rather: tuple[Term, ...] = ()


NO_TERMS = Terms()


def of_pod(pod: Object) -> Terms:
    affinity = pod["spec"].get("affinity") or {}
    near, away = affinity.get("podAffinity") or {}, affinity.get("podAntiAffinity") or {}
    if not near and not away:
        return NO_TERMS
    return Terms(
        near=tuple(_term(pod, term) for term in _required(near)),
        away=tuple(_term(pod, term) for term in _required(away)),
        rather=(
            *(_term(pod, one["podAffinityTerm"], int(one["weight"])) for one in _preferred(near)),
            *(_term(pod, one["podAffinityTerm"], -int(one["weight"])) for one in _preferred(away)),
        ),
    )


def with_label_keys(selector: Selector, pod: Object, same: Iterable[str], other: Iterable[str] = ()) -> Selector:
    """Only pods that have the same (another) value than `pod` of these label keys; keys the pod lacks do not count."""
    labels = objects.labels(pod)
    more = [Requirement(key, "in", (labels[key],)) for key in same if key in labels]
    more += [Requirement(key, "notin", (labels[key],)) for key in other if key in labels]
    return dataclasses.replace(selector, requirements=(*selector.requirements, *more)) if more else selector


def _required(affinity: Mapping[str, Any]) -> Iterable[Object]:
    return affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ()


def _preferred(affinity: Mapping[str, Any]) -> Iterable[Object]:
    return affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()


def _term(pod: Object, term: Object, weight: int = 0) -> Term:
    namespaces, selector = term.get("namespaces") or (), term.get("namespaceSelector")
    own = () if namespaces or selector is not None else (objects.namespace(pod),)
    matching = selectors.from_object(term.get("labelSelector"))
    matching = with_label_keys(matching, pod, term.get("matchLabelKeys") or (), term.get("mismatchLabelKeys") or ())
    who = Who(frozenset((*namespaces, *own)), selectors.from_object(selector), matching)
    return Term(who, term["topologyKey"], weight)
