"""Which FlowSchema a request belongs to: the first that matches, by precedence and name. Pure.

Whom a rule is about is asked once for each user, what it is about once for each of his requests.

Source: "API Priority and Fairness", FlowSchema of flowcontrol.apiserver.k8s.io/v1.
"""

import dataclasses

from steersman.apiserver import users
from steersman.apiserver.paths import Target
from steersman.meta.objects import Object

ANY = "*"


def order(schema: Object) -> tuple[int, str]:
    return schema["spec"].get("matchingPrecedence", 1000), schema["metadata"]["name"]


def rules(schema: Object) -> tuple["Rule", ...]:
    return tuple(Rule.of(rule) for rule in schema["spec"].get("rules") or ())


def distinguisher(schema: Object, user: users.User, target: Target) -> str:
    """What tells flows of one schema from each other."""
    match (schema["spec"].get("distinguisherMethod") or {}).get("type"):
        case "ByUser":
            return user.name
        case "ByNamespace":
            return target.namespace
    return ""


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    subjects: tuple[Object, ...]
    resources: tuple[Object, ...]
    others: tuple[Object, ...]

    @classmethod
    def of(cls, rule: Object) -> "Rule":
        return cls(
            tuple(rule.get("subjects") or ()),
            tuple(rule.get("resourceRules") or ()),
            tuple(rule.get("nonResourceRules") or ()),
        )

    def concerns(self, user: users.User) -> bool:
        return any(_is_subject(subject, user) for subject in self.subjects)

    def covers(self, target: Target) -> bool:
        if target.is_resource:
            return any(_is_about(rule, target) for rule in self.resources)
        return any(_has(rule["verbs"], target.verb) and _has_path(rule, target.path) for rule in self.others)


def _is_subject(subject: Object, user: users.User) -> bool:
    match subject.get("kind"):
        case "User":
            return subject["user"]["name"] in (ANY, user.name)
        case "Group":
            name = subject["group"]["name"]
            return name == ANY or name in user.groups
        case "ServiceAccount":
            account = subject["serviceAccount"]
            start = f"{users.SERVICE_ACCOUNT_PREFIX}{account['namespace']}:"
            return user.name.startswith(start) and account["name"] in (ANY, user.name.removeprefix(start))
    return False


def _is_about(rule: Object, target: Target) -> bool:
    if not (_has(rule["verbs"], target.verb) and _has(rule["apiGroups"], target.group)):
        return False
    if not _has(rule["resources"], target.full_resource):
        return False
    return _has(rule.get("namespaces") or (), target.namespace) if target.namespace else bool(rule.get("clusterScope"))


def _has(listed: "list[str] | tuple[str, ...]", wanted: str) -> bool:
    return ANY in listed or wanted in listed


def _has_path(rule: Object, path: str) -> bool:
    return any(
        url in (ANY, path) or (url.endswith("*") and path.startswith(url.removesuffix("*")))
        for url in rule["nonResourceURLs"]
    )
