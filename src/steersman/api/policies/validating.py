"""ValidatingAdmissionPolicy: what it says of one write, for one binding and parameter.

Source: apiserver's admission/plugin/policy/validating/validator.go.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from steersman.api.cel import types
from steersman.api.cel.types import BOOL, DYN, NULL, STRING
from steersman.api.policies.environments import Inputs
from steersman.api.policies.evaluation import BUDGET, Budget, Composition, Conditions, Expression, Failed, OutOfBudget
from steersman.meta.objects import Object

MESSAGE_BYTES_MAX = 5 * 1024  # of what a messageExpression yields
ANNOTATION_BYTES_MAX = 10 * 1024  # of the value of an audit annotation


@dataclasses.dataclass(frozen=True, slots=True)
class Denial:
    """`index` is that of the validation, -1 for what is none; `reason` "" for upstream's default."""

    message: str
    reason: str = ""
    index: int = -1


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """`denials` are what the binding's actions are about; `failures` deny whatever the actions are."""

    denials: tuple[Denial, ...] = ()
    failures: tuple[Denial, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Validation:
    given: Object
    expression: Expression
    message: Expression | None


class Policy:
    """Compiled once per revision of the policy."""

    def __init__(self, policy: Object) -> None:
        spec = policy.get("spec") or {}
        has_params = spec.get("paramKind") is not None
        self.fails_open = spec.get("failurePolicy") == "Ignore"
        self._conditions = Conditions(spec.get("matchConditions") or (), has_params=has_params)
        self._composition = compose(spec)
        self._validations = [_validation(one, self._composition) for one in spec.get("validations") or ()]
        environment = self._composition.environment()
        self._annotations = [
            (
                str(one.get("key", "")),
                Expression((one.get("valueExpression") or "").strip(), environment, (STRING, NULL)),
            )
            for one in spec.get("auditAnnotations") or ()
        ]

    def judge(self, given: Inputs, budget: int = BUDGET) -> Verdict:
        """`budget`: of the validations, and again of the annotations."""
        try:
            if not self._conditions.match(given):
                return Verdict()
        except Failed as why:
            return Verdict(self._failed(str(why)))
        inputs = self._composition.inputs(given)
        try:
            denials = self._denials(inputs, Budget(budget))
            annotations, failures = self._annotate(inputs, Budget(budget))
        except OutOfBudget as why:
            return Verdict(self._failed(str(why)))
        return Verdict(denials, failures, annotations)

    def _failed(self, why: str, index: int = -1) -> tuple[Denial, ...]:
        return () if self.fails_open else (Denial(why, index=index),)

    def _denials(self, inputs: Inputs, budget: Budget) -> tuple[Denial, ...]:
        """Every expression is evaluated before the first message is."""
        found: list[tuple[int, _Validation | None, str]] = []
        for index, validation in enumerate(self._validations):
            try:
                if validation.expression.evaluate(inputs, budget) is not True:
                    found.append((index, validation, ""))
            except OutOfBudget:
                raise
            except Failed as why:
                found.append((index, None, str(why)))
        denials: list[Denial] = []
        for index, refused, failure in found:
            if refused is None:
                denials += self._failed(failure, index)
            else:
                denials += self._refused(refused, index, inputs, budget)
        return tuple(denials)

    def _refused(self, validation: _Validation, index: int, inputs: Inputs, budget: Budget) -> tuple[Denial, ...]:
        message = ""
        if validation.message is not None:
            try:
                message = _usable(validation.message.evaluate(inputs, budget))
            except OutOfBudget as why:
                return self._failed(f"failed messageExpression: {why}", index)
            except Failed:
                message = ""
        given = validation.given
        message = message or (given.get("message") or "").strip()
        message = message or f"failed expression: {(given.get('expression') or '').strip()}"
        return (Denial(message, given.get("reason") or "", index),)

    def _annotate(self, inputs: Inputs, budget: Budget) -> tuple[tuple[tuple[str, str], ...], tuple[Denial, ...]]:
        found: list[tuple[str, str]] = []
        failures: list[Denial] = []
        for key, expression in self._annotations:
            try:
                value = expression.evaluate(inputs, budget)
            except OutOfBudget:
                raise
            except Failed as why:
                failures += self._failed(str(why))
                continue
            if isinstance(value, str) and value.strip():
                found.append((key, value.strip()[:ANNOTATION_BYTES_MAX]))
        return tuple(found), tuple(failures)


def _validation(given: Object, composition: Composition) -> _Validation:
    text = given.get("messageExpression") or ""
    message = Expression(text, composition.environment(authorizer=False), (STRING,)) if text.strip() else None
    return _Validation(given, Expression(given.get("expression") or "", composition.environment(), (BOOL,)), message)


def _usable(value: Any) -> str:
    """A message of one line that is not too long; "" otherwise."""
    found = value.strip() if isinstance(value, str) else ""
    return "" if len(found.encode()) > MESSAGE_BYTES_MAX or "\n" in found else found


def compose(
    spec: Object, *, of_object: types.Type = DYN, params: types.Type = DYN, mutates: bool = False
) -> Composition:
    """The variables of a policy."""
    listed: Sequence[Object] = spec.get("variables") or ()
    has_params = spec.get("paramKind") is not None
    return Composition(listed, params=params if has_params else None, of_object=of_object, mutates=mutates)
