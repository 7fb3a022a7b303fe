"""The rules of roles, from `--verb`, `--resource`, `--resource-name` and `--non-resource-url`. Pure."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Sequence

from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

_RBAC = "rbac.authorization.k8s.io"
RESOURCE_VERBS = frozenset(
    [
        "*",
        "get",
        "delete",
        "list",
        "create",
        "update",
        "patch",
        "watch",
        "proxy",
        "deletecollection",
        "use",
        "bind",
        "escalate",
        "impersonate",
    ]
)
NON_RESOURCE_VERBS = frozenset(["*", "get", "post", "put", "delete", "patch", "head", "options"])
# Verbs that have a meaning for these (resource, group) only.
_SPECIAL = {
    "use": {("podsecuritypolicies", "policy"), ("podsecuritypolicies", "extensions")},
    "bind": {("roles", _RBAC), ("clusterroles", _RBAC)},
    "escalate": {("roles", _RBAC), ("clusterroles", _RBAC)},
    "impersonate": {("users", ""), ("serviceaccounts", ""), ("groups", ""), ("userextras", "authentication.k8s.io")},
}

Lookup = Callable[[str, str], tuple[str, str]]
"""(resource, group) as written → (plural, group) as the server has them; raises what is to be said where it has none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    resource: str
    group: str = ""
    subresource: str = ""


def parse_verbs(verbs: Sequence[str]) -> list[str]:
    return ["*"] if "*" in verbs else list(dict.fromkeys(verbs))


def parse_targets(resources: Iterable[str]) -> list[Target]:
    """`deployments.apps/scale`; a bare `*` stands for everything."""
    found = []
    for text in resources:
        named, slash, subresource = text.partition("/")
        resource, dot, group = named.partition(".")
        if resource == "*" and not dot and not slash:
            return [Target("*")]
        found.append(Target(resource, group, subresource))
    return found


def checked(targets: Iterable[Target], verbs: Sequence[str], lookup: Lookup) -> None:
    """Raises CommandError, or what `lookup` raises."""
    for target in targets:
        if not target.resource:
            raise CommandError("resource must be specified if apiGroup/subresource specified")
        if target.resource == "*":
            return
        unknown: Exception | None = None
        place = target.resource, target.group
        try:
            place = lookup(*place)
        except CommandError as why:  # a verb may be made for what no server serves (users)
            unknown = why
        for verb in verbs:
            if verb in _SPECIAL:
                if place not in _SPECIAL[verb]:
                    raise CommandError(f"can not perform '{verb}' on '{place[0]}' in group '{place[1]}'")
                unknown = None
        if unknown is not None:
            raise unknown


def rules(
    verbs: Sequence[str],
    targets: Iterable[Target],
    resource_names: Sequence[str],
    urls: Sequence[str],
    lookup: Lookup,
) -> list[Object]:
    """One rule for each API group, and one for URLs."""
    by_group: dict[str, list[str]] = {}
    for target in targets:
        resource, group = target.resource, target.group
        with contextlib.suppress(
            CommandError
        ):  # `checked` has said all there is to say of what the server does not know
            resource, group = lookup(resource, group)
        if target.subresource:
            resource += f"/{target.subresource}"
        listed = by_group.setdefault(group, [])
        if resource not in listed:
            listed.append(resource)
    found: list[Object] = []
    for group in sorted(by_group):
        rule: Object = {"verbs": list(verbs), "apiGroups": [group], "resources": by_group[group]}
        if resource_names:
            rule["resourceNames"] = list(dict.fromkeys(resource_names))
        found.append(rule)
    if urls:
        found.append({"verbs": list(verbs), "nonResourceURLs": list(dict.fromkeys(urls))})
    return found


def not_standard(verbs: Iterable[str]) -> str:
    return "".join(
        f"Warning: '{verb}' is not a standard resource verb\n" for verb in verbs if verb not in RESOURCE_VERBS
    )
