"""FlowSchemas and PriorityLevelConfigurations. Source: upstream's pkg/apis/flowcontrol/validation."""

import math

from steersman.api import flow_objects
from steersman.api.validation import fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

PRECEDENCE_MAX = 10000
QUEUES_MAX = 10_000_000
HASH_BITS_MAX = 60
METHODS = ("ByNamespace", "ByUser")
SUBJECTS = {"Group": "group", "ServiceAccount": "serviceAccount", "User": "user"}
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_NAMESPACE = "each member of this list must be '*' or a DNS-1123 label; "


def validate_schema(new: Object, old: Object | None) -> list[FieldError]:
    name, spec = str(new["metadata"].get("name", "")), new.get("spec") or {}
    errors = metadata.validate(new, old, namespaced=False)
    errors += _precedence(name, spec.get("matchingPrecedence") or 0, "spec.matchingPrecedence")
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in METHODS:
        errors.append(fields.not_supported("spec.distinguisherMethod.type", method, METHODS))
    level = (spec.get("priorityLevelConfiguration") or {}).get("name")
    path = "spec.priorityLevelConfiguration.name"
    errors += fields.check_name(path, level, names.subdomain_errors, detail="must reference a priority level")
    for index, rule in enumerate(spec.get("rules") or ()):
        errors += _rule(rule, f"spec.rules[{index}]")
    if name in flow_objects.MANDATORY and spec != flow_objects.SCHEMAS[name]:
        errors.append(fields.invalid("spec", spec, f"spec of '{name}' must equal the fixed value"))
    return errors + _status(new)


def _precedence(name: str, value: int, path: str) -> list[FieldError]:
    errors = []
    if value <= 0:
        errors.append(fields.invalid(path, value, "must be a positive value"))
    if value > PRECEDENCE_MAX:
        errors.append(fields.invalid(path, value, f"must not be greater than {PRECEDENCE_MAX}"))
    if value == 1 and name != flow_objects.EXEMPT:
        errors.append(fields.invalid(path, value, "only the schema named 'exempt' may have matchingPrecedence 1"))
    return errors


def _rule(rule: Object, path: str) -> list[FieldError]:
    errors = []
    subjects = rule.get("subjects") or []
    if not subjects:
        errors.append(fields.required(f"{path}.subjects", "subjects must contain at least one value"))
    for index, subject in enumerate(subjects):
        errors += _subject(subject, f"{path}.subjects[{index}]")
    resources, others = rule.get("resourceRules") or [], rule.get("nonResourceRules") or []
    if not resources and not others:
        why = "at least one of resourceRules and nonResourceRules has to be non-empty"
        errors.append(fields.required(path, why))
    for index, one in enumerate(resources):
        errors += _resource_rule(one, f"{path}.resourceRules[{index}]")
    for index, one in enumerate(others):
        errors += _other_rule(one, f"{path}.nonResourceRules[{index}]")
    return errors


def _subject(subject: Object, path: str) -> list[FieldError]:
    kind = subject.get("kind") or ""
    own = SUBJECTS.get(kind)
    if own is None:
        return [fields.not_supported(f"{path}.kind", kind, frozenset(SUBJECTS))]
    found = subject.get(own)
    errors = []
    if found is None:
        errors.append(fields.required(f"{path}.{own}", f"{own} is required when subject kind is '{kind}'"))
    elif own == "serviceAccount":
        errors += _account(found, f"{path}.{own}")
    elif not found.get("name"):
        errors.append(fields.required(f"{path}.{own}.name"))
    for other, field in SUBJECTS.items():
        if field != own and subject.get(field) is not None:
            errors.append(
                fields.forbidden(f"{path}.{field}", f"{field} is forbidden when subject kind is not '{other}'")
            )
    return errors


def _account(account: Object, path: str) -> list[FieldError]:
    errors = []
    if account.get("name") != "*":
        errors += fields.check_name(f"{path}.name", account.get("name"), names.subdomain_errors)
    detail = "must specify namespace for service account"
    return errors + fields.check_name(f"{path}.namespace", account.get("namespace"), names.label_errors, detail=detail)


def _resource_rule(rule: Object, path: str) -> list[FieldError]:
    errors = _verbs(rule, path)
    groups, resources = rule.get("apiGroups") or [], rule.get("resources") or []
    errors += _several(groups, f"{path}.apiGroups", "resource rules must supply at least one api group", "api groups")
    errors += _several(resources, f"{path}.resources", "resource rules must supply at least one resource", "resources")
    namespaces = rule.get("namespaces") or []
    path = f"{path}.namespaces"
    if not namespaces:
        if not rule.get("clusterScope"):
            why = "resource rules that are not cluster scoped must supply at least one namespace"
            errors.append(fields.required(path, why))
    elif "*" in namespaces:
        errors += _several(namespaces, path, "", "namespaces")
    else:
        for index, name in enumerate(namespaces):
            for why in names.label_errors(name):
                errors.append(fields.invalid(f"{path}[{index}]", name, _NAMESPACE + why))
    return errors


def _other_rule(rule: Object, path: str) -> list[FieldError]:
    urls, errors = rule.get("nonResourceURLs") or [], _verbs(rule, path)
    path = f"{path}.nonResourceURLs"
    if not urls or "*" in urls:
        why = "nonResourceURLs must contain at least one value"
        return errors + _several(urls, path, why, "non-resource URLs")
    for index, url in enumerate(urls):
        wrong = _url(url)
        if wrong:
            errors.append(fields.invalid(f"{path}[{index}]", url, wrong))
    return errors


def _url(url: str) -> str:
    if not url:
        return "must not be empty"
    if url == "/":
        return ""
    if not url.startswith("/"):
        return "must start with slash"
    if " " in url:
        return "must not contain white-space"
    if "//" in url:
        return "must not contain double slash"
    stars = url.count("*")
    return "wildcard can only do suffix matching" if stars > 1 or (stars and not url.endswith("/*")) else ""


def _verbs(rule: Object, path: str) -> list[FieldError]:
    verbs, path = rule.get("verbs") or [], f"{path}.verbs"
    if not verbs or "*" in verbs:
        return _several(verbs, path, "verbs must contain at least one value", "verbs")
    return [] if set(verbs) <= set(VERBS) else [fields.not_supported(path, verbs, VERBS)]


def _several(values: list[str], path: str, missing: str, what: str) -> list[FieldError]:
    if not values:
        return [fields.required(path, missing)]
    if len(values) > 1 and "*" in values:
        return [fields.invalid(path, values, f"if '*' is present, must not specify other {what}")]
    return []


def validate_level(new: Object, old: Object | None) -> list[FieldError]:
    name, spec = str(new["metadata"].get("name", "")), new.get("spec") or {}
    errors = metadata.validate(new, old, namespaced=False)
    kind, exempt, limited = spec.get("type") or "", spec.get("exempt"), spec.get("limited")
    if (name == flow_objects.EXEMPT) != (kind == "Exempt"):
        errors.append(fields.invalid("spec.type", kind, "type must be 'Exempt' if and only if `name` is 'exempt'"))
    if kind == "Exempt":
        if limited is not None:
            errors.append(fields.forbidden("spec.limited", "must be nil if the type is Exempt"))
        errors += _shares(exempt or {}, "spec.exempt")
    elif kind == "Limited":
        if exempt is not None:
            errors.append(fields.forbidden("spec.exempt", "must be nil if the type is Limited"))
        errors += _limited(limited, "spec.limited")
    else:
        errors.append(fields.not_supported("spec.type", kind, ("Exempt", "Limited")))
    return errors + _fixed(name, spec) + _status(new)


def _fixed(name: str, spec: Object) -> list[FieldError]:
    wanted = flow_objects.LEVELS.get(name) if name in flow_objects.MANDATORY else None
    if wanted is None:
        return []
    if name == flow_objects.EXEMPT:
        if {**spec, "exempt": wanted["exempt"]} != wanted:
            why = f"spec of '{name}' except the 'spec.exempt' field must equal the fixed value"
            return [fields.invalid("spec", spec, why)]
        return []
    return [fields.invalid("spec", spec, f"spec of '{name}' must equal the fixed value")] if spec != wanted else []


def _shares(found: Object, path: str) -> list[FieldError]:
    errors = []
    shares, percent = found.get("nominalConcurrencyShares"), found.get("lendablePercent")
    if shares is not None and shares < 0:
        errors.append(fields.invalid(f"{path}.nominalConcurrencyShares", shares, "must be a non-negative integer"))
    if percent is not None and not 0 <= percent <= 100:
        errors.append(fields.invalid(f"{path}.lendablePercent", percent, "must be between 0 and 100, inclusive"))
    return errors


def _limited(limited: Object | None, path: str) -> list[FieldError]:
    if limited is None:
        return [fields.required(path, "must not be empty when type is Limited")]
    errors = _shares(limited, path)
    borrowing = limited.get("borrowingLimitPercent")
    if borrowing is not None and borrowing < 0:
        why = "if specified, must be a non-negative integer"
        errors.append(fields.invalid(f"{path}.borrowingLimitPercent", borrowing, why))
    response = limited.get("limitResponse") or {}
    kind, queuing, path = response.get("type") or "", response.get("queuing"), f"{path}.limitResponse"
    if kind == "Reject":
        if queuing is not None:
            why = "must be nil if limited.limitResponse.type is not Limited"
            errors.append(fields.forbidden(f"{path}.queuing", why))
    elif kind == "Queue":
        why = "must not be empty if limited.limitResponse.type is Limited"
        errors += [fields.required(f"{path}.queuing", why)] if queuing is None else _queuing(queuing, f"{path}.queuing")
    else:
        errors.append(fields.not_supported(f"{path}.type", kind, ("Queue", "Reject")))
    return errors


def _queuing(queuing: Object, path: str) -> list[FieldError]:
    queues, hand, length = (
        queuing.get("queues") or 0,
        queuing.get("handSize") or 0,
        queuing.get("queueLengthLimit") or 0,
    )
    errors = []
    if length <= 0:
        errors.append(fields.invalid(f"{path}.queueLengthLimit", length, "must be positive"))
    if queues <= 0:
        errors.append(fields.invalid(f"{path}.queues", queues, "must be positive"))
    elif queues > QUEUES_MAX:
        errors.append(fields.invalid(f"{path}.queues", queues, f"must not be greater than {QUEUES_MAX}"))
    if hand <= 0:
        errors.append(fields.invalid(f"{path}.handSize", hand, "must be positive"))
    elif hand > queues:
        errors.append(fields.invalid(f"{path}.handSize", hand, f"should not be greater than queues ({queues})"))
    elif _entropy_bits(queues, hand) > HASH_BITS_MAX:
        why = (
            f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {HASH_BITS_MAX}"
        )
        errors.append(fields.invalid(f"{path}.handSize", hand, why))
    return errors


def _entropy_bits(queues: int, hand: int) -> int:
    """Of a hash from which that many queues can be dealt."""
    if hand > HASH_BITS_MAX:
        return hand  # at least a bit for each, and the sum need not be built
    return math.ceil(sum(math.log2(queues - dealt) for dealt in range(hand)))


def _status(new: Object) -> list[FieldError]:
    listed, seen, errors = (new.get("status") or {}).get("conditions") or (), set(), []
    for index, condition in enumerate(listed):
        kind, path = condition.get("type") or "", f"status.conditions[{index}].type"
        if kind in seen:
            errors.append(fields.duplicate(path, kind))
        seen.add(kind)
        if not kind:
            errors.append(fields.required(path, "must not be empty"))
    return errors
