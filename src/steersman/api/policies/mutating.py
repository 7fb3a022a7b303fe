"""MutatingAdmissionPolicy: what it makes of one object, for one binding and parameter.

Source: apiserver's admission/plugin/policy/mutating, patch/smd.go and patch/json_patch.go.
"""

from collections.abc import Iterator
from typing import Any

from steersman.api.cel import types
from steersman.api.managed_fields import compiling, lists
from steersman.api.managed_fields import types as owned
from steersman.api.patches import json_patch
from steersman.api.policies import messages, validating
from steersman.api.policies.environments import Inputs
from steersman.api.policies.evaluation import BUDGET, Budget, Conditions, Expression, Failed
from steersman.meta import errors
from steersman.meta.objects import Object

_RETURNS = {"ApplyConfiguration": messages.OBJECT_TYPE, "JSONPatch": types.list_of(messages.PATCH_TYPE)}
_FIELDS = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}


class Policy:
    """Compiled once per revision of the policy."""

    def __init__(self, policy: Object) -> None:
        spec = policy.get("spec") or {}
        self.fails_open = spec.get("failurePolicy") == "Ignore"
        self.is_reinvoked = spec.get("reinvocationPolicy") == "IfNeeded"
        self._conditions = Conditions(spec.get("matchConditions") or (), has_params=spec.get("paramKind") is not None)
        self._composition = validating.compose(spec, mutates=True)
        environment = self._composition.environment()
        self.mutations = [
            (
                one["patchType"],
                Expression(
                    (one.get(_FIELDS[one["patchType"]]) or {}).get("expression") or "",
                    environment,
                    (_RETURNS[one["patchType"]],),
                ),
            )
            for one in spec.get("mutations") or ()
        ]

    def matches(self, given: Inputs) -> bool:
        """Raises Failed."""
        return self._conditions.match(given)

    def mutate(self, index: int, given: Inputs, obj: Object, of_type: compiling.Type) -> Object:
        """A new object, or the same where the mutation changes nothing. Raises Failed."""
        kind, expression = self.mutations[index]
        value = expression.evaluate(self._composition.inputs(given), Budget(BUDGET))
        if kind == "JSONPatch":
            return _patched(obj, value)
        try:
            return _applied(obj, messages.plain(value), of_type)
        except messages.Misplaced as why:
            raise Failed(f"type mismatch: {why}") from why


def _applied(obj: Object, wanted: Object, of_type: compiling.Type) -> Object:
    """Merged as server-side apply does, but nobody owns what was set."""
    wanted = {**wanted, "apiVersion": of_type.api_version, "kind": of_type.kind}
    wrong = list(of_type.root.check(wanted, ()))
    if wrong:
        text = wrong[0] if len(wrong) == 1 else "\n".join(["errors:", *(f"  {one}" for one in wrong)])
        raise Failed(f"error applying patch: failed to convert patch object to typed object: {text}")
    atomic = list(_atomics(of_type.root, wanted, ""))
    if atomic:
        listed = ", ".join(atomic)
        what = f"invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {listed}"
        raise Failed(f"error applying patch: {what}")
    try:
        merged: Object = of_type.root.merge(obj, wanted)
    except owned.Mistyped as why:
        raise Failed(f"error applying patch: failed to merge patch: {why}") from why
    return merged


def _atomics(node: Any, value: Any, path: str) -> Iterator[str]:
    """Where a patch sets something that can only be set as a whole."""
    if isinstance(node, owned.Leaf):
        if isinstance(value, list | dict) and node.inner is not None:
            yield path
        return
    if isinstance(value, dict) and isinstance(node, owned.Struct):
        for name, item in value.items():
            yield from _atomics(node.node(name), item, f"{path}.{name}")
    elif isinstance(value, list) and isinstance(node, lists.ListMap | lists.ListSet):
        for index, item in enumerate(value):
            yield from _atomics(node.item, item, f"{path}[{index}]")


def _patched(obj: Object, operations: Any) -> Object:
    """A patch whose `test` fails changes nothing."""
    try:
        return json_patch.apply(obj, [_operation(one) for one in operations])
    except messages.Misplaced as why:
        raise Failed(f"type mismatch: {why}") from why
    except errors.StatusError as refused:
        causes = (refused.status.get("details") or {}).get("causes") or [{"message": str(refused)}]
        text = str(causes[0]["message"])
        if text.endswith(json_patch.TEST_FAILED):
            return obj
        raise Failed(f"JSONPath: {text}") from refused


def _operation(one: Any) -> Object:
    found = {name: one[name] for name in ("op", "path") if name in one}
    if one.get("from"):
        found["from"] = one["from"]
    if "value" in one:
        value = one["value"]
        is_message = getattr(value, "name", "").startswith(messages.OBJECT)
        found["value"] = messages.plain(value, value.name) if is_message else messages.plain(value)
    return found
