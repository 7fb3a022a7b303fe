"""Roles and bindings."""

from steersman.api.validation import fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

GROUP = "rbac.authorization.k8s.io"


def validate_role(new: Object, old: Object | None) -> list[FieldError]:
    errors = metadata.validate(new, old, check=names.path_segment_errors)
    return [*errors, *_rules(new, namespaced=True)]


def validate_cluster_role(new: Object, old: Object | None) -> list[FieldError]:
    errors = metadata.validate(new, old, namespaced=False, check=names.path_segment_errors)
    errors += _rules(new, namespaced=False)
    aggregation = new.get("aggregationRule")
    if aggregation is not None:
        path = "aggregationRule.clusterRoleSelectors"
        selectors = aggregation.get("clusterRoleSelectors") or ()
        if not selectors:
            text = "at least one clusterRoleSelector required if aggregationRule is non-nil"
            errors.append(fields.required(path, text))
        for index, selector in enumerate(selectors):
            errors += metadata.label_selector(selector, f"{path}[{index}]")
    return errors


def validate_role_binding(new: Object, old: Object | None) -> list[FieldError]:
    return _binding(new, old, namespaced=True, kinds=("ClusterRole", "Role"))


def validate_cluster_role_binding(new: Object, old: Object | None) -> list[FieldError]:
    return _binding(new, old, namespaced=False, kinds=("ClusterRole",))


def _rules(role: Object, *, namespaced: bool) -> list[FieldError]:
    errors = []
    for index, rule in enumerate(role.get("rules") or ()):
        errors += _rule(rule, f"rules[{index}]", namespaced=namespaced)
    return errors


def _rule(rule: Object, path: str, *, namespaced: bool) -> list[FieldError]:
    errors = []
    if not rule.get("verbs"):
        errors.append(fields.required(f"{path}.verbs", "verbs must contain at least one value"))
    urls = rule.get("nonResourceURLs")
    if urls:
        if namespaced:
            text = "namespaced rules cannot apply to non-resource URLs"
            errors.append(fields.invalid(f"{path}.nonResourceURLs", urls, text))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            text = "rules cannot apply to both regular resources and non-resource URLs"
            errors.append(fields.invalid(f"{path}.nonResourceURLs", urls, text))
        return errors
    if not rule.get("apiGroups"):
        errors.append(fields.required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        errors.append(fields.required(f"{path}.resources", "resource rules must supply at least one resource"))
    return errors


def _binding(new: Object, old: Object | None, *, namespaced: bool, kinds: tuple[str, ...]) -> list[FieldError]:
    errors = metadata.validate(new, old, namespaced=namespaced, check=names.path_segment_errors)
    reference = new.get("roleRef") or {}
    if reference.get("apiGroup") != GROUP:
        errors.append(fields.not_supported("roleRef.apiGroup", reference.get("apiGroup", ""), (GROUP,)))
    if reference.get("kind") not in kinds:
        errors.append(fields.not_supported("roleRef.kind", reference.get("kind", ""), kinds))
    errors += fields.check_name("roleRef.name", reference.get("name"), names.path_segment_errors)
    for index, subject in enumerate(new.get("subjects") or ()):
        errors += _subject(subject, f"subjects[{index}]", namespaced=namespaced)
    if old is not None and reference != old.get("roleRef"):
        errors.append(fields.invalid("roleRef", reference, "cannot change roleRef"))
    return errors


def _subject(subject: Object, path: str, *, namespaced: bool) -> list[FieldError]:
    name, kind, group = subject.get("name", ""), subject.get("kind", ""), subject.get("apiGroup", "")
    errors = [] if name else [fields.required(f"{path}.name")]
    match kind:
        case "ServiceAccount":
            if name:
                errors += fields.each_invalid(f"{path}.name", name, names.subdomain_errors(name))
            if group:
                errors.append(fields.not_supported(f"{path}.apiGroup", group, ("",)))
            if not namespaced and not subject.get("namespace"):
                errors.append(fields.required(f"{path}.namespace"))
        case "User" | "Group":
            if group != GROUP:
                errors.append(fields.not_supported(f"{path}.apiGroup", group, (GROUP,)))
        case _:
            errors.append(fields.not_supported(f"{path}.kind", kind, ("Group", "ServiceAccount", "User")))
    return errors
