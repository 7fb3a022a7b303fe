"""Which requests are written down, and how much of them: a Policy of audit.k8s.io/v1. Pure, but for `read`.

Source: "Auditing" in the Kubernetes documentation; rules and texts as upstream's audit/policy and apis/audit/validation.
"""

import dataclasses
import enum
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from steersman.api.validation import fields
from steersman.apiserver.paths import Target
from steersman.apiserver.users import User
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

API_VERSION = "audit.k8s.io/v1"
STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")


class Level(enum.IntEnum):
    """How much is written down; each holds what the ones before it do."""

    None_ = 0
    Metadata = 1
    Request = 2
    RequestResponse = 3

    @property
    def text(self) -> str:
        return self.name.rstrip("_")


_LEVELS = {level.text: level for level in Level}


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy wants of one request."""

    level: Level
    omitted_stages: frozenset[str] = frozenset()
    omits_managed_fields: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class _Rule:
    verdict: Verdict
    users: frozenset[str]
    groups: frozenset[str]
    verbs: frozenset[str]
    namespaces: frozenset[str]
    resources: tuple[Object, ...]
    urls: tuple[str, ...]

    def matches(self, target: Target, user: User | None) -> bool:
        if self.users and (user is None or user.name not in self.users):
            return False
        if self.groups and (user is None or self.groups.isdisjoint(user.groups)):
            return False
        if self.verbs and target.verb not in self.verbs:
            return False
        if self.namespaces or self.resources:
            return target.is_resource and self._names(target)
        if self.urls:
            return not target.is_resource and any(_is_under(target.path, one) for one in self.urls)
        return True

    def _names(self, target: Target) -> bool:
        if self.namespaces and target.namespace not in self.namespaces:
            return False
        return not self.resources or any(_is_among(target, one) for one in self.resources)


class Policy:
    """The first rule that is about a request decides; what none is about is not written down."""

    def __init__(self, found: Object) -> None:
        stages, managed = found.get("omitStages") or (), bool(found.get("omitManagedFields"))
        self._rules = [_rule(one, stages, omits_managed=managed) for one in found.get("rules") or ()]
        self._default = Verdict(Level.None_, frozenset(stages), managed)

    def of(self, target: Target, user: User | None) -> Verdict:
        return next((one.verdict for one in self._rules if one.matches(target, user)), self._default)


def _rule(found: Object, stages: Any, *, omits_managed: bool) -> _Rule:
    verdict = Verdict(
        _LEVELS[found["level"]],
        frozenset((*stages, *(found.get("omitStages") or ()))),
        omits_managed if found.get("omitManagedFields") is None else bool(found["omitManagedFields"]),
    )
    return _Rule(
        verdict,
        users=frozenset(found.get("users") or ()),
        groups=frozenset(found.get("userGroups") or ()),
        verbs=frozenset(found.get("verbs") or ()),
        namespaces=frozenset(found.get("namespaces") or ()),
        resources=tuple(found.get("resources") or ()),
        urls=tuple(found.get("nonResourceURLs") or ()),
    )


def _is_under(path: str, wanted: str) -> bool:
    return wanted in ("*", path) or (wanted.endswith("*") and path.startswith(wanted.rstrip("*")))


def _is_among(target: Target, wanted: Object) -> bool:
    if (wanted.get("group") or "") != target.group:
        return False
    if not wanted.get("resources"):
        return True
    named = wanted.get("resourceNames")
    if named and target.name not in named:
        return False
    whole, sub = (target.full_resource, "*", f"{target.resource}/*"), target.subresource
    return any(one in whole or (sub and one == f"*/{sub}") for one in wanted["resources"])


def read(path: str | Path) -> Policy:
    """Of a file. Raises ValueError, OSError."""
    try:
        return parse(yaml.safe_load(Path(path).read_text()))
    except (yaml.YAMLError, ValueError) as problem:
        raise ValueError(f"loading audit policy file {path}: {problem}") from problem


def parse(found: Any) -> Policy:
    """Raises ValueError, which names what is wrong by its field."""
    if not isinstance(found, dict) or (found.get("apiVersion"), found.get("kind")) != (API_VERSION, "Policy"):
        raise ValueError(f"not a Policy of {API_VERSION}")
    if not found.get("rules"):
        raise ValueError("loaded illegal policy with 0 rules")
    wrong = [str(one) for one in _validate(found)]
    if wrong:
        raise ValueError(wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]")
    return Policy(found)


def _validate(found: Object) -> Iterator[FieldError]:
    yield from _stages(found.get("omitStages"), "omitStages")
    for index, rule in enumerate(found["rules"]):
        at = f"rules[{index}]"
        if not rule.get("level"):
            yield fields.required(f"{at}.level")
        elif rule["level"] not in _LEVELS:
            yield fields.not_supported(f"{at}.level", rule["level"], tuple(_LEVELS))
        yield from _urls(rule, f"{at}.nonResourceURLs")
        yield from _resources(rule.get("resources") or (), f"{at}.resources")
        yield from _stages(rule.get("omitStages"), f"{at}.omitStages")


def _stages(stages: Any, at: str) -> Iterator[FieldError]:
    for index, stage in enumerate(stages or ()):
        if stage not in STAGES:
            yield fields.invalid(f"{at}[{index}]", stage, f"allowed stages are {','.join(STAGES)}")


def _urls(rule: Object, at: str) -> Iterator[FieldError]:
    urls = rule.get("nonResourceURLs") or ()
    for index, url in enumerate(urls):
        if url == "*":
            continue
        if not url.startswith("/"):
            yield fields.invalid(f"{at}[{index}]", url, "non-resource URL rules must begin with a '/' character")
        if "*" in url[:-1]:
            yield fields.invalid(
                f"{at}[{index}]", url, "non-resource URL wildcards '*' must be the final character of the rule"
            )
    if urls and (rule.get("resources") or rule.get("namespaces")):
        yield fields.invalid(at, urls, "rules cannot apply to both regular resources and non-resource URLs")


def _resources(resources: Any, at: str) -> Iterator[FieldError]:
    for index, one in enumerate(resources):
        if one.get("group"):
            yield from fields.each_invalid(f"{at}[{index}].group", one["group"], names.subdomain_errors(one["group"]))
        if one.get("resourceNames") and not one.get("resources"):
            why = "using resourceNames requires at least one resource"
            yield fields.invalid(f"{at}[{index}].resourceNames", one["resourceNames"], why)
