"""What is wrong with the expressions of a policy for the kinds its rules name: warnings for its status, never a refusal.

Only rules without wildcards name kinds, and only the first ten count. Types come from the schema package and from definitions.
Source: apiserver's admission/plugin/policy/validating/typechecking.go.
"""

import functools
from collections.abc import Iterable, Sequence

from steersman.api import schema
from steersman.api.cel import schemas, types
from steersman.api.cel.schemas import Declaration
from steersman.api.kind import Kind
from steersman.api.policies.evaluation import Composition, Expression
from steersman.meta.objects import Object

KINDS_MAX = 10

_REFERENCE = "#/$defs/"
_OBJECT_META: Object = {"$ref": f"{_REFERENCE}io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
_TEXT: Object = {"type": "string"}


def check(policy: Object, matched: Sequence[Kind], params: Kind | None) -> list[Object]:
    """`expressionWarnings`: empty if all is well. `params` None: there is no such kind."""
    spec = policy.get("spec") or {}
    found = []
    compositions = [_composition(spec, kind, params) for kind in matched]
    for index, validation in enumerate(spec.get("validations") or ()):
        for field in ("expression", "messageExpression"):
            text = validation.get(field) or ""
            warning = "\n".join(_warnings(text, matched, compositions)) if text else ""
            if warning:
                found.append({"fieldRef": f"spec.validations[{index}].{field}", "warning": warning})
    return found


def _composition(spec: Object, kind: Kind, params: Kind | None) -> Composition:
    declared = None if params is None else _type(params)
    return Composition(spec.get("variables") or (), params=declared, of_object=_type(kind))


def _warnings(text: str, matched: Sequence[Kind], compositions: Sequence[Composition]) -> Iterable[str]:
    for kind, composition in zip(matched, compositions, strict=True):
        expression = Expression(text, composition.environment())
        if expression.error:
            shown = expression.error.removeprefix("compilation failed: ")
            yield f"{kind.group}/{kind.version}, Kind={kind.kind}: {shown}\n"


def matched(policy: Object, kinds: Iterable[Kind]) -> list[Kind]:
    """The kinds its rules name, in order of group, version and kind."""
    rows = {(row.group, row.version, row.plural): row for row in kinds}
    found: dict[tuple[str, str, str], Kind] = {}
    for rule in ((policy.get("spec") or {}).get("matchConstraints") or {}).get("resourceRules") or ():
        groups, versions = rule.get("apiGroups") or (), rule.get("apiVersions") or ()
        if any("*" in text for text in (*groups, *versions)):
            continue
        resources = [text for text in rule.get("resources") or () if "*" not in text and "/" not in text]
        for key in ((g, v, r) for g in sorted(groups) for v in sorted(versions) for r in sorted(resources)):
            if key in rows and len(found) < KINDS_MAX:
                row = rows[key]
                found[row.group, row.version, row.kind] = row
    return [found[key] for key in sorted(found)]


def _type(kind: Kind) -> types.Type:
    declaration = _declared(kind)
    return types.DYN if declaration is None else declaration.type


def _declared(kind: Kind) -> Declaration | None:
    if kind.custom is None:
        return _builtin(kind.group, kind.version, kind.kind)
    root = kind.custom.schema
    if root is None:
        return None
    whole = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": _OBJECT_META}
    properties = {**(root.get("properties") or {}), **whole}
    return schemas.declare({**root, "properties": properties}, kind.kind, resolve=_resolve)


@functools.lru_cache(maxsize=64)
def _builtin(group: str, version: str, kind: str) -> Declaration | None:
    name = schema.of_release().name_of(group, version, kind)
    return None if name is None else schemas.declare({"$ref": _REFERENCE + name}, kind, resolve=_resolve)


def _resolve(given: Object) -> Object:
    """References followed, and what the schema package has rewritten written back: nullability, numbers that may be texts."""
    reference = given.get("$ref")
    name = reference.removeprefix(_REFERENCE) if reference else ""
    if name:
        given = schema.of_release().definitions[name]
    declared = given.get("type")
    if isinstance(declared, list):
        return {**given, "type": next(one for one in declared if one != "null")}
    if declared is None and given.get("oneOf"):
        listed = {one for option in given["oneOf"] for one in option.get("type") or ()}
        return {"x-kubernetes-int-or-string": True} if "integer" in listed else _TEXT
    if declared is None and given.get("properties"):
        return {**given, "type": "object"}
    return given
