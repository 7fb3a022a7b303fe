"""Expressions of admission: compiled once, evaluated on a write within a budget, in upstream's words when they fail.

Source: apiserver's admission/plugin/cel/condition.go, composition.go and plugin/webhook/matchconditions.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from steersman.api.cel import environment, types
from steersman.api.cel.environment import Environment, Outcome, Program
from steersman.api.cel.source import CompileError
from steersman.api.cel.types import BOOL, DYN, Type
from steersman.api.cel.values import EvalError
from steersman.api.policies import environments
from steersman.api.policies.environments import Inputs
from steersman.meta.objects import Object

BUDGET = 10_000_000
"""Upstream's RuntimeCELCostBudget: of one policy, binding and parameter, for one write."""

CONDITIONS_BUDGET = 2_500_000
"""Upstream's RuntimeCELCostBudgetMatchConditions."""

_OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


class Failed(Exception):
    """An expression has no value."""


class OutOfBudget(Failed):
    def __init__(self) -> None:
        super().__init__(_OUT_OF_BUDGET)


@dataclasses.dataclass(slots=True)
class Budget:
    left: int

    def spend(self, cost: int) -> None:
        if cost > self.left:
            raise OutOfBudget
        self.left -= cost


class Expression:
    """`error` is why it has no program, in upstream's words; `returns` what its value may be."""

    __slots__ = ("_environment", "error", "program", "text")

    def __init__(self, text: str, env: Environment, returns: Sequence[Type] = ()) -> None:
        self.text = text
        self._environment = env
        self.program: Program | None = None
        self.error = ""
        try:
            program = env.compile(text)
        except CompileError as wrong:
            self.error = f"compilation failed: {wrong}"
            return
        if returns and program.type not in returns:
            self.error = _wrong_type(returns, program.type)
            return
        self.program = program

    def evaluate(self, inputs: Inputs, budget: Budget) -> Any:
        """Raises Failed, OutOfBudget."""
        if self.program is None:
            raise Failed(f"compilation error: {self.error}")
        composed = inputs.get("variables")
        outcome = self.measured(inputs)
        if isinstance(composed, Composed):
            budget.spend(composed.take_cost())
        budget.spend(outcome.cost)
        if outcome.error is not None:
            raise Failed(f"expression '{self.text}' resulted in error: {outcome.error}")
        return outcome.value

    def measured(self, inputs: Inputs) -> Outcome:
        """Of one that compiled."""
        assert self.program is not None, "an expression that compiled"
        return self.program.measured(*[inputs[name] for name in self._environment.variables])


_SHOWN = {"null": "null_type"}


def _wrong_type(returns: Sequence[Type], found: Type) -> str:
    shown = [_SHOWN.get(str(one), str(one)) for one in returns]
    got = _SHOWN.get(str(found), str(found))
    if len(shown) == 1:
        return f"must evaluate to {shown[0]} but got {got}"
    return f"must evaluate to one of [{' '.join(shown)}] but got {got}"


class Composition:
    """The variables of a policy: each may use those before it, and is evaluated when it is asked for."""

    def __init__(
        self, listed: Sequence[Object], *, params: Type | None = None, of_object: Type = DYN, mutates: bool = False
    ) -> None:
        self._params = params
        self._of_object = of_object
        self._mutates = mutates
        self._types: dict[str, tuple[Type, str]] = {}
        self.expressions: dict[str, Expression] = {}
        for variable in listed:
            name = variable.get("name") or ""
            expression = Expression(variable.get("expression") or "", self.environment())
            self.expressions[name] = expression
            found = DYN if expression.program is None else expression.program.type
            self._types = {**self._types, name: (found, name)}

    def environment(self, *, authorizer: bool = True) -> Environment:
        """Of an expression that may use all variables so far."""
        composed = types.struct("kubernetes.variables", self._types.get, keeps_nulls=True)
        declared = environments.variables(
            params=self._params, authorizer=authorizer, of_object=self._of_object, composed=composed
        )
        return environments.of_mutations(declared) if self._mutates else environment.Environment(declared)

    def inputs(self, given: Inputs) -> dict[str, Any]:
        """With `variables`, for one evaluation of a policy."""
        found = dict(given)
        found["variables"] = Composed(self.expressions, found)
        return found


class Composed(dict[str, Any]):
    """`variables`: values as they are asked for, once each."""

    def __init__(self, expressions: Mapping[str, Expression], inputs: Inputs) -> None:
        super().__init__()
        self._expressions = expressions
        self._inputs = inputs
        self._cost = 0

    def __contains__(self, name: object) -> bool:
        return name in self._expressions

    def __missing__(self, name: str) -> Any:
        expression = self._expressions[name]
        if expression.program is None:
            raise EvalError(f'composited variable "{name}" fails to compile: {expression.error}')
        outcome = expression.measured(self._inputs)
        self._cost += outcome.cost
        if outcome.error is not None:
            raise EvalError(f'composited variable "{name}" fails to evaluate: {outcome.error}')
        self[name] = outcome.value
        return outcome.value

    def take_cost(self) -> int:
        """What was evaluated since it was last asked."""
        cost, self._cost = self._cost, 0
        return cost


class Conditions:
    """matchConditions: one that is false means no, whatever the others say; else an error is for the failure policy."""

    def __init__(self, listed: Sequence[Object], *, has_params: bool = False) -> None:
        env = environments.of_conditions(has_params=has_params)
        self._expressions = [Expression((one.get("expression") or "").strip(), env, (BOOL,)) for one in listed]

    def match(self, inputs: Inputs) -> bool:
        """Raises Failed."""
        budget = Budget(CONDITIONS_BUDGET)
        wrong: list[str] = []
        for expression in self._expressions:
            try:
                if expression.evaluate(inputs, budget) is False:
                    return False
            except OutOfBudget:
                raise
            except Failed as why:
                wrong.append(str(why))
        if wrong:
            raise Failed(wrong[0] if len(wrong) == 1 else f"[{', '.join(dict.fromkeys(wrong))}]")
        return True
