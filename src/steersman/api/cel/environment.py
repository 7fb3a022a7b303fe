"""What expressions of one place may say: variables with their types, and functions. Makes programs of texts."""

from collections.abc import Mapping, Sequence
from typing import Any

from steersman.api.cel import checker, compiler, conversions, functions, operators, parser
from steersman.api.cel.compiler import COST, FAILURES, Frame, Step
from steersman.api.cel.functions import Functions
from steersman.api.cel.library import (
    authorization,
    formats,
    ips,
    lists,
    mathematics,
    optionals,
    patches,
    quantities,
    regexes,
    sets,
    strings,
    times,
    urls,
    versions,
)
from steersman.api.cel.source import CompileError, Issue
from steersman.api.cel.syntax import Call, Entry, Fold, Ident, ListOf, MapOf, Message, Node, Select
from steersman.api.cel.types import Type
from steersman.api.cel.values import CostExceeded, EvalError

CALL_LIMIT = 1_000_000
"""Upstream's PerCallLimit: what one expression may cost. About a tenth of a second there."""

STANDARD: Functions = functions.merged(
    operators.FUNCTIONS,
    conversions.FUNCTIONS,
    times.FUNCTIONS,
    optionals.FUNCTIONS,
    patches.FUNCTIONS,
    strings.FUNCTIONS,
    lists.FUNCTIONS,
    sets.FUNCTIONS,
    mathematics.FUNCTIONS,
    regexes.FUNCTIONS,
    urls.FUNCTIONS,
    ips.FUNCTIONS,
    quantities.FUNCTIONS,
    versions.FUNCTIONS,
    formats.FUNCTIONS,
    authorization.FUNCTIONS,
)


class Program:
    """An expression ready to run. `type` is that of its value; `root` its checked tree, for the estimate of costs."""

    __slots__ = ("_base", "_padding", "_run", "root", "text", "type")

    def __init__(self, text: str, root: Node, names: Sequence[str]) -> None:
        made = compiler.Compiler({name: compiler.FIRST + index for index, name in enumerate(names)})
        self.text = text
        self.root = root
        self.type = root.type
        self._run: Step = made.compile(root)
        self._base = made.cost
        self._padding = [None] * (made.size - compiler.FIRST - len(names))

    def run(self, *variables: Any) -> Any:
        """The value, within upstream's limit for one call. Raises EvalError, CostExceeded."""
        frame: Frame = [self._base, CALL_LIMIT, *variables, *self._padding]
        try:
            return self._run(frame)
        except FAILURES as failure:
            raise compiler.as_error(failure) from failure

    def measured(self, *variables: Any, limit: int = CALL_LIMIT) -> "Outcome":
        """The value or why there is none, and what it cost."""
        frame: Frame = [self._base, limit, *variables, *self._padding]
        try:
            value = self._run(frame)
        except CostExceeded as exceeded:
            return Outcome(None, exceeded, frame[COST])
        except FAILURES as failure:
            return Outcome(None, compiler.as_error(failure), frame[COST])
        if frame[COST] > limit:
            return Outcome(None, CostExceeded(), frame[COST])
        return Outcome(value, None, frame[COST])

    def names(self) -> frozenset[str]:
        """The variables it looks at."""
        return frozenset(_names(self.root))


class Outcome:
    """`error` is an EvalError or CostExceeded; `value` is of use only without one."""

    __slots__ = ("cost", "error", "value")

    def __init__(self, value: Any, error: EvalError | CostExceeded | None, cost: int) -> None:
        self.value = value
        self.error = error
        self.cost = cost


class Environment:
    """`variables` by name, in the order in which programs take their values."""

    def __init__(
        self,
        variables: Mapping[str, Type],
        library: Functions = STANDARD,
        messages: checker.Messages | None = None,
    ) -> None:
        self.variables = dict(variables)
        self._functions = library
        self._messages = messages or checker.Messages()

    def compile(self, text: str) -> Program:
        """Raises source.CompileError."""
        try:
            root = parser.parse(text)
            checker.check(text, root, self.variables, self._functions, self._messages)
            return Program(text, root, tuple(self.variables))
        except RecursionError:
            what = f"expression recursion limit exceeded: {parser.DEPTH_MAX}"
            raise CompileError(text, [Issue(0, what)]) from None


def _names(node: Node) -> "list[str]":
    if isinstance(node, Ident):
        return [node.name]
    if isinstance(node, Select) and node.qualified is not None:
        return [node.qualified]
    return [name for child in children(node) for name in _names(child)]


def children(node: Node) -> list[Node]:
    """The parts of a node, as they were written."""
    if isinstance(node, Select):
        return [node.operand]
    if isinstance(node, Call):
        return node.operands()
    if isinstance(node, ListOf):
        return node.elements
    if isinstance(node, MapOf | Message):
        return [part for entry in node.entries for part in _parts(entry)]
    if isinstance(node, Fold):
        return [node.over, node.init, node.condition, node.step, node.result]
    return []


def _parts(entry: Entry) -> list[Node]:
    return [entry.value] if entry.key is None else [entry.key, entry.value]
