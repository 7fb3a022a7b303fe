"""RBAC as sets: rules compiled per subject and place, so that a question is a few set look-ups.

Pure. Reads roles and bindings as plain objects. Source of the rules: "Using RBAC Authorization" in the Kubernetes documentation.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from steersman.apiserver import users
from steersman.apiserver.attributes import Attributes, Decision
from steersman.meta import selectors
from steersman.meta.objects import Object

CLUSTER = ""  # the place of ClusterRoleBindings: every namespace and none


@dataclasses.dataclass(slots=True)
class Grants:
    """What one subject may do in one place.

    `allowed` holds (verb, group, resource); `named` those limited by resourceNames; `paths` (verb, path).
    For people: `sources` are the bindings it comes from, `missing` says which roles of bindings are not there.
    """

    allowed: set[tuple[str, str, str]] = dataclasses.field(default_factory=set)
    named: dict[tuple[str, str, str], set[str]] = dataclasses.field(default_factory=dict)
    paths: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    path_prefixes: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    rules: list[Object] = dataclasses.field(default_factory=list)
    sources: "list[Source]" = dataclasses.field(default_factory=list)
    missing: list[str] = dataclasses.field(default_factory=list)

    def add(self, rules: Iterable[Object]) -> None:
        for rule in rules:
            self.rules.append(rule)
            verbs = rule.get("verbs") or ()
            self._add_paths(verbs, rule.get("nonResourceURLs") or ())
            combinations = itertools.product(verbs, rule.get("apiGroups") or (), rule.get("resources") or ())
            names = rule.get("resourceNames")
            for combination in combinations:
                if names:
                    self.named.setdefault(combination, set()).update(names)
                else:
                    self.allowed.add(combination)

    def _add_paths(self, verbs: Iterable[str], paths: Iterable[str]) -> None:
        for verb, path in itertools.product(verbs, paths):
            if path.endswith("*"):
                self.path_prefixes.append((verb, path[:-1]))
            else:
                self.paths.add((verb, path))

    def allow(self, combinations: list[tuple[str, str, str]], name: str) -> bool:
        if not self.allowed.isdisjoint(combinations):
            return True
        if not name or not self.named:
            return False
        return any(name in self.named.get(combination, ()) for combination in combinations)

    def answer(self, asked: Attributes) -> bool:
        if asked.path:
            return self.allow_path(asked.verb, asked.path)
        return self.allow(_combinations(asked.verb, asked.group, asked.resource), asked.name)

    def allow_path(self, verb: str, path: str) -> bool:
        if (verb, path) in self.paths or ("*", path) in self.paths:
            return True
        return any(allowed in (verb, "*") and path.startswith(start) for allowed, start in self.path_prefixes)


class Source(NamedTuple):
    """`text` names the binding, its role and its subject as upstream does."""

    text: str
    rules: list[Object]


Subject = tuple[str, str]  # ("User", name) or ("Group", name)


class Rules:
    """All grants: by subject, then by place (a namespace, or CLUSTER)."""

    def __init__(self) -> None:
        self._grants: dict[Subject, dict[str, Grants]] = {}

    def add(self, subject: Subject, place: str, rules: list[Object], source: str = "") -> None:
        grants = self._grants_of(subject, place)
        grants.add(rules)
        grants.sources.append(Source(source, rules))

    def add_missing(self, subject: Subject, place: str, why: str) -> None:
        self._grants_of(subject, place).missing.append(why)

    def _grants_of(self, subject: Subject, place: str) -> Grants:
        return self._grants.setdefault(subject, {}).setdefault(place, Grants())

    def allow(self, user: users.User, asked: Attributes) -> bool:
        if asked.path:
            return any(grants.allow_path(asked.verb, asked.path) for grants in self.grants(user, CLUSTER))
        combinations = _combinations(asked.verb, asked.group, asked.resource)
        if any(grants.allow(combinations, asked.name) for grants in self.grants(user, CLUSTER)):
            return True
        if not asked.namespace:
            return False
        return any(grants.allow(combinations, asked.name) for grants in self.grants(user, asked.namespace))

    def explain(self, user: users.User, asked: Attributes) -> Decision:
        """The answer of `allow` with its reason: which binding, or which roles of bindings are not there. Slow."""
        places = [CLUSTER] if asked.path or not asked.namespace else [CLUSTER, asked.namespace]
        missing: list[str] = []
        for grants in (one for place in places for one in self.grants(user, place)):
            missing += grants.missing
            for source in grants.sources if grants.answer(asked) else ():
                alone = Grants()
                alone.add(source.rules)
                if alone.answer(asked):
                    return Decision(allowed=True, reason=f"RBAC: allowed by {source.text}")
        return Decision(allowed=False, reason=f"RBAC: {_together(missing)}" if missing else "")

    def grants(self, user: users.User, place: str) -> Iterable[Grants]:
        for subject in _subjects(user):
            places = self._grants.get(subject)
            if places is not None and place in places:
                yield places[place]


def _together(errors: list[str]) -> str:
    """As Go's aggregate of errors says it: each once, in brackets if there are several."""
    once = list(dict.fromkeys(errors))
    return once[0] if len(once) == 1 else f"[{', '.join(once)}]"


def _subjects(user: users.User) -> Iterable[Subject]:
    yield "User", user.name
    for group in user.groups:
        yield "Group", group


def _combinations(verb: str, group: str, resource: str) -> list[tuple[str, str, str]]:
    """Every rule entry that covers the question, wild cards included (`*/scale` is any resource's subresource)."""
    resources = [resource, "*"]
    if "/" in resource:
        resources.append("*/" + resource.partition("/")[2])
    return list(itertools.product((verb, "*"), (group, "*"), resources))


def compile_rules(
    roles: Iterable[Object],
    role_bindings: Iterable[Object],
    cluster_roles: Iterable[Object],
    cluster_role_bindings: Iterable[Object],
) -> Rules:
    rules = Rules()
    of_cluster = _with_aggregation({role["metadata"]["name"]: role for role in cluster_roles})
    of_namespace = {
        (role["metadata"]["namespace"], role["metadata"]["name"]): role.get("rules") or [] for role in roles
    }
    for binding in cluster_role_bindings:
        _bind(rules, binding, CLUSTER, of_cluster.get(_reference(binding).get("name", "")))
    for binding in role_bindings:
        reference, namespace = _reference(binding), binding["metadata"]["namespace"]
        if reference.get("kind") == "ClusterRole":
            found = of_cluster.get(reference.get("name", ""))
        else:
            found = of_namespace.get((namespace, reference.get("name", "")))
        _bind(rules, binding, namespace, found)
    return rules


def _reference(binding: Object) -> Object:
    return binding.get("roleRef") or {}


def _bind(rules: Rules, binding: Object, place: str, granted: list[Object] | None) -> None:
    """`granted`: None where there is no such role."""
    for subject in binding.get("subjects") or ():
        kind, name = subject.get("kind", ""), subject.get("name", "")
        if kind == "ServiceAccount":
            namespace = subject.get("namespace") or binding["metadata"].get("namespace", "")
            kind, name = "User", f"{users.SERVICE_ACCOUNT_PREFIX}{namespace}:{name}"
        if granted is None:
            rules.add_missing((kind, name), place, _not_found(binding, place))
        elif granted:
            rules.add((kind, name), place, granted, _described(binding, place, subject))


def _not_found(binding: Object, place: str) -> str:
    reference = _reference(binding)
    plural = "role" if place and reference.get("kind") != "ClusterRole" else "clusterrole"
    return f'{plural}.rbac.authorization.k8s.io "{reference.get("name", "")}" not found'


def _described(binding: Object, place: str, subject: Object) -> str:
    """`ClusterRoleBinding "b" of ClusterRole "r" to Group "g"`; what has a namespace is `NAME/NAMESPACE`."""
    reference, name = _reference(binding), binding["metadata"]["name"]
    kind, of_namespace = ("RoleBinding", f"{name}/{place}") if place else ("ClusterRoleBinding", name)
    to = subject.get("name", "")
    if subject.get("kind") == "ServiceAccount":
        to += "/" + (subject.get("namespace") or place)
    role = f'{reference.get("kind") or "ClusterRole"} "{reference.get("name", "")}"'
    return f'{kind} "{of_namespace}" of {role} to {subject.get("kind", "")} "{to}"'


def _with_aggregation(cluster_roles: Mapping[str, Object]) -> dict[str, list[Object]]:
    """Rules by name; an aggregated role has its own and those of all roles its selectors match."""
    found = {}
    for name, role in cluster_roles.items():
        rules = list(role.get("rules") or ())
        for wanted in (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ():
            for other_name, other in cluster_roles.items():
                labels = other["metadata"].get("labels")
                if other_name != name and labels and selectors.object_matches(wanted, labels):
                    rules.extend(other.get("rules") or ())
        found[name] = rules
    return found
