"""The question to authorization that a request or a review means.

Source: upstream's RequestInfo and registry/authorization/util. What a selector says that cannot be read is left out: requirements
are joined by and, so that fewer of them ask for more, and the answer is the stricter one.
"""

from collections.abc import Mapping

from steersman.apiserver import paths
from steersman.apiserver.attributes import Attributes
from steersman.meta import selectors
from steersman.meta.objects import Object
from steersman.meta.selectors import FieldRequirement

_SELECTING = frozenset(("list", "watch", "deletecollection"))
_NO_NAMES = frozenset((".", ".."))


def of(target: paths.Target, parameters: Mapping[str, list[str]]) -> Attributes:
    """Of a request for a resource. A list or watch of one name by field selector is about that name: rules may name objects."""
    verb, name = target.verb, target.name
    if "fieldSelector" not in parameters or verb not in _SELECTING:
        return Attributes(verb, target.group, target.version, target.full_resource, target.namespace, name)
    fields = of_text(parameters["fieldSelector"][0])
    if not name and verb != "deletecollection":
        name = _only_name(fields)
    return Attributes(verb, target.group, target.version, target.full_resource, target.namespace, name, fields=fields)


def of_path(method: str, path: str) -> Attributes:
    return Attributes("get" if method == "HEAD" else method.lower(), path=path or "/")


def of_text(selector: str) -> tuple[FieldRequirement, ...]:
    """None of an unreadable one."""
    try:
        return selectors.parse_fields(selector).requirements
    except selectors.SelectorError:
        return ()


def _only_name(fields: tuple[FieldRequirement, ...]) -> str:
    name = selectors.FieldSelector(fields).exact("metadata.name") or ""
    return "" if name in _NO_NAMES or "/" in name or "%" in name else name


def of_review(spec: Object) -> tuple[Attributes, str]:
    """Of an access review's spec, and what of it was not understood (`status.evaluationError`)."""
    resource = spec.get("resourceAttributes")
    if resource is None:
        path = spec.get("nonResourceAttributes") or {}
        return Attributes(path.get("verb", ""), path=path.get("path", "") or "/"), ""
    name, sub = resource.get("resource", ""), resource.get("subresource", "")
    fields, field_error = _fields_of(resource.get("fieldSelector") or {})
    label_error = _label_error(resource.get("labelSelector") or {})
    asked = Attributes(
        resource.get("verb", ""),
        resource.get("group", ""),
        resource.get("version", "") or "*",
        f"{name}/{sub}" if sub else name,
        resource.get("namespace", ""),
        resource.get("name", ""),
        fields=fields,
    )
    return asked, "; ".join(filter(None, (field_error, label_error)))


def _fields_of(selector: Object) -> tuple[tuple[FieldRequirement, ...], str]:
    found: list[FieldRequirement] = []
    failed = False
    if selector.get("rawSelector"):
        try:
            found = list(selectors.parse_fields(selector["rawSelector"]).requirements)
        except selectors.SelectorError:
            failed = True
    if selector.get("requirements"):
        found, failed = [], False
        for one in selector["requirements"]:
            values: list[str] = one.get("values") or []
            if one.get("operator") in ("In", "NotIn") and len(values) == 1:
                found.append(FieldRequirement(one.get("key", ""), one["operator"] == "In", values[0]))
            else:
                failed = True
    return tuple(found), _ignored("fieldSelector", failed=failed, kept=bool(found))


def _label_error(selector: Object) -> str:
    kept, failed = 0, False
    expressions = [[one] for one in selector.get("requirements") or ()]
    for parse in expressions:
        try:
            kept += len(selectors.from_object({"matchExpressions": parse}).requirements)
        except selectors.SelectorError:
            failed = True
    if selector.get("rawSelector") and not expressions:
        try:
            selectors.parse(selector["rawSelector"])
        except selectors.SelectorError:
            failed = True
    return _ignored("labelSelector", failed=failed, kept=kept > 0)


def _ignored(field: str, *, failed: bool, kept: bool) -> str:
    partially = "partially " if kept else ""
    return f"spec.resourceAttributes.{field} {partially}ignored due to parse error" if failed else ""
