"""A checked tree to a Python function: closures over closures, one call per part of the expression.

What is known is settled here once: which overload, which pattern, which slot a variable has, and what a stretch of the
expression costs that runs from end to end. Only what depends on values is decided and counted when it runs.

A frame is a list: the cost so far, its limit, then the variables. Names bound by macros have slots too; a slot is never read
outside of the macro that fills it. `null` where a schema allows it stands outside of the static types: Python's TypeError and
AttributeError then mean CEL's "no such overload", and a KeyError its "no such key".
"""

import contextlib
import operator
from collections.abc import Callable, Iterator
from typing import Any

from steersman.api.cel import costs, folding, functions, types, values
from steersman.api.cel.syntax import Call, Entry, Fold, Ident, ListOf, Literal, MapOf, Message, Node, Select
from steersman.api.cel.values import NONE, CostExceeded, EvalError, Instance, Optional
from steersman.meta import patterns

Frame = list[Any]
Step = Callable[[Frame], Any]

COST, LIMIT, FIRST = 0, 1, 2

FAILURES = (EvalError, KeyError, TypeError, AttributeError, RecursionError)
"""What the logical operators absorb. Everything else is a mistake of ours."""


def as_error(failure: Exception) -> EvalError:
    if isinstance(failure, EvalError):
        return failure
    if isinstance(failure, KeyError):
        return EvalError(f"no such key: {failure.args[0]}")
    if isinstance(failure, RecursionError):
        return EvalError("expression recursion limit exceeded")
    return values.no_overload()


class Compiler:
    def __init__(self, slots: dict[str, int]) -> None:
        self.slots = dict(slots)
        self.size = FIRST + len(slots)
        self.cost = 0

    def compile(self, node: Node) -> Step:
        return _COMPILERS[node.__class__](self, node)

    def branch(self, node: Node) -> tuple[Step, int]:
        """Something that may not run, and what it costs at least if it does."""
        before, self.cost = self.cost, 0
        step = self.compile(node)
        cost, self.cost = self.cost, before
        return step, cost

    @contextlib.contextmanager
    def bound(self, *names: str) -> Iterator[tuple[int, ...]]:
        """Slots for names, for as long as they are known."""
        before = dict(self.slots)
        found = []
        for name in names:
            self.slots[name] = self.size
            found.append(self.size)
            self.size += 1
        yield tuple(found)
        self.slots = before

    # Leaves and selections.

    def _literal(self, node: Literal) -> Step:
        value = node.value
        return lambda frame: value

    def _ident(self, node: Ident) -> Step:
        self.cost += 1
        if node.constant is not None:
            value = node.constant
            return lambda frame: value
        return self._slot(node.name)

    def _slot(self, name: str) -> Step:
        slot = self.slots[name]
        return operator.itemgetter(slot)

    def _select(self, node: Select) -> Step:
        if node.constant is not None:
            self.cost += 1
            value = node.constant
            return lambda frame: value
        if node.qualified is not None:
            self.cost += 1
            return self._slot(node.qualified)
        operand = self.compile(node.operand)
        if not node.is_test:
            self.cost += 1
        kind = node.operand.type
        if node.is_test:
            return _has(operand, kind, node.key)
        if node.is_optional or types.is_optional(kind):
            return _optional_field(operand, node.key, _present(kind))
        if types.is_loose(kind):
            return _dynamic_field(operand, node.key)
        key = node.key
        if types.drops_nulls(kind):
            return _set_field(operand, key)
        if isinstance(node.operand, Ident) and node.operand.constant is None:
            slot = self.slots[node.operand.name]
            return lambda frame: frame[slot][key]
        return lambda frame: operand(frame)[key]

    # Aggregates.

    def _list(self, node: ListOf) -> Step:
        steps = [self.compile(element) for element in node.elements]
        self.cost += costs.LIST_BASE
        if not node.optional:
            if all(isinstance(element, Literal) for element in node.elements):
                made = [step([]) for step in steps]
                return lambda frame: made
            return lambda frame: [step(frame) for step in steps]
        optional = node.optional

        def gather(frame: Frame) -> list[Any]:
            found = []
            for index, step in enumerate(steps):
                value = step(frame)
                if index not in optional:
                    found.append(value)
                elif _opened(value) is not NONE:
                    found.append(value.value)
            return found

        return gather

    def _map(self, node: MapOf) -> Step:
        steps = []
        for entry in node.entries:
            assert entry.key is not None, "an entry of a map has a key"
            steps.append((self.compile(entry.key), self.compile(entry.value), entry.is_optional))
        self.cost += costs.MAP_BASE

        def gather(frame: Frame) -> dict[Any, Any]:
            found: dict[Any, Any] = {}
            for key_step, step, is_optional in steps:
                key, value = key_step(frame), step(frame)
                if is_optional:
                    if _opened(value) is NONE:
                        continue
                    value = value.value
                if key in found:
                    raise EvalError(f"Failed with repeated key: {key}")
                found[key] = value
            return found

        return gather

    def _message(self, node: Message) -> Step:
        steps = [self._field(entry) for entry in node.entries]
        self.cost += costs.MESSAGE_BASE
        name = node.name

        def gather(frame: Frame) -> Instance:
            fields: dict[str, Any] = {}
            for field, step, is_optional in steps:
                value = step(frame)
                if is_optional:
                    if _opened(value) is NONE:
                        continue
                    value = value.value
                fields[field] = value
            return Instance(name, fields)

        return gather

    def _field(self, entry: Entry) -> tuple[str, Step, bool]:
        return entry.field, self.compile(entry.value), entry.is_optional

    # Calls.

    def _call(self, node: Call) -> Step:
        special = _SPECIAL.get(node.function)
        if special is not None:
            return special(self, node)
        return self._any_call(node)

    def _any_call(self, node: Call) -> Step:
        operands = node.operands()
        if node.function == "matches" and isinstance(operands[1], Literal) and operands[0].type.kind == "string":
            return self._matches(operands[0], operands[1].value)
        steps = [self.compile(operand) for operand in operands]
        if functions.needs_dispatch(node.overloads, [operand.type for operand in operands]):
            return self._dispatched(node, steps)
        overload = node.overloads[0]
        call = _COMPARISONS.get((node.function, operands[0].type.kind if operands else "")) or overload.call
        cost = costs.of(node.function, overload.id)
        if cost is None or all(operand.type.kind in types.SCALARS for operand in operands):
            self.cost += 1
            return _direct(call, steps)
        if node.function in ("_==_", "_!=_") and any(isinstance(operand, Literal) for operand in operands):
            # At most what reading the constant costs: no need to measure the other side.
            self.cost += max(costs.read(values.size(one.value)) for one in operands if isinstance(one, Literal))
            return _direct(call, steps)
        return _counted(call, steps, cost)

    def _dispatched(self, node: Call, steps: list[Step]) -> Step:
        find, name = functions.dispatcher(node.overloads), node.function

        def run(frame: Frame) -> Any:
            args = [step(frame) for step in steps]
            overload, call = find(*args)
            cost = costs.of(name, overload.id)
            frame[COST] += 1 if cost is None else cost(*args)
            if frame[COST] > frame[LIMIT]:
                raise CostExceeded
            return call(*args)

        return run

    def _matches(self, target: Node, pattern: str) -> Step:
        text = self.compile(target)
        factor = costs.pattern(len(pattern))
        search = patterns.compiled(pattern).search

        def run(frame: Frame) -> bool:
            value = text(frame)
            found = search(value) is not None
            frame[COST] += (len(value) + 10) // 10 * factor
            return found

        return run

    # Operators that may leave a side alone.

    def _and(self, node: Call) -> Step:
        left = self.compile(node.args[0])
        right, cost = self.branch(node.args[1])
        is_typed = all(arg.type.kind == "bool" for arg in node.args)
        return _logical(left, right, cost, decides=False, is_typed=is_typed)

    def _or(self, node: Call) -> Step:
        left = self.compile(node.args[0])
        right, cost = self.branch(node.args[1])
        is_typed = all(arg.type.kind == "bool" for arg in node.args)
        return _logical(left, right, cost, decides=True, is_typed=is_typed)

    def _ternary(self, node: Call) -> Step:
        asked = self.compile(node.args[0])
        then, then_cost = self.branch(node.args[1])
        otherwise, other_cost = self.branch(node.args[2])

        def run(frame: Frame) -> Any:
            value = asked(frame)
            if value is True:
                frame[COST] += then_cost
                return then(frame)
            if value is False:
                frame[COST] += other_cost
                return otherwise(frame)
            raise values.no_overload()

        return run

    def _fallback(self, node: Call) -> Step:
        """`or` and `orValue`: the other side is only asked if there is no value."""
        assert node.target is not None, "a method"
        optional = self.compile(node.target)
        other, cost = self.branch(node.args[0])
        self.cost += 1
        keeps = node.function == "or"

        def run(frame: Frame) -> Any:
            found = _opened(optional(frame))
            if found is NONE:
                frame[COST] += cost
                return other(frame)
            return found if keeps else found.value

        return run

    def _fold(self, node: Fold) -> Step:
        return folding.compile(self, node)


def _opened(value: Any) -> Optional:
    if value.__class__ is not Optional:
        raise values.no_overload()
    return value


def _logical(left: Step, right: Step, cost: int, *, decides: bool, is_typed: bool) -> Step:
    """`decides` is the value of one side that makes the other not matter, not even by its error."""

    def after_failure(frame: Frame, failure: Exception) -> bool:
        frame[COST] += cost
        try:
            value = right(frame)
        except FAILURES:
            raise as_error(failure) from failure
        if value is decides:
            return value is True
        raise as_error(failure) from failure

    def run_and(frame: Frame) -> Any:
        try:
            value = left(frame)
        except FAILURES as failure:
            return after_failure(frame, failure)
        if value:
            frame[COST] += cost
            return right(frame)
        return False

    def run_or(frame: Frame) -> Any:
        try:
            value = left(frame)
        except FAILURES as failure:
            return after_failure(frame, failure)
        if value:
            return True
        frame[COST] += cost
        return right(frame)

    def run_any(frame: Frame) -> Any:
        """Where a side may be something else than a boolean."""
        try:
            value = left(frame)
            if value.__class__ is not bool:
                raise values.no_overload()
        except FAILURES as failure:
            return after_failure(frame, failure)
        if value is decides:
            return decides
        frame[COST] += cost
        other = right(frame)
        if other.__class__ is not bool:
            raise values.no_overload()
        return other

    if not is_typed:
        return run_any
    return run_or if decides else run_and


def _present(kind: types.Type) -> Callable[[dict[str, Any], str], bool]:
    """Whether a field is there: null is no value of an object's field, but is one of a map's entry."""
    if types.drops_nulls(types.unwrapped(kind)):
        return lambda fields, key: fields.get(key) is not None
    return operator.contains


def _has(operand: Step, kind: types.Type, key: str) -> Step:
    if types.drops_nulls(kind):
        return lambda frame: operand(frame).get(key) is not None
    if not types.is_optional(kind) and not types.is_loose(kind):
        return lambda frame: key in operand(frame)
    present = _present(kind)

    def run(frame: Frame) -> bool:
        value = operand(frame)
        if value.__class__ is Optional:
            return value is not NONE and present(value.value, key)
        if not isinstance(value, dict):
            raise values.no_overload()
        return present(value, key)

    return run


def _set_field(operand: Step, key: str) -> Step:
    def run(frame: Frame) -> Any:
        value = operand(frame)[key]
        if value is None:
            raise KeyError(key)
        return value

    return run


def _dynamic_field(operand: Step, key: str) -> Step:
    def run(frame: Frame) -> Any:
        value = operand(frame)
        if isinstance(value, dict):
            return value[key]
        if value.__class__ is Optional:
            return _field_of_optional(value, key, operator.contains)
        raise values.no_overload()

    return run


def _optional_field(operand: Step, key: str, present: Callable[[dict[str, Any], str], bool]) -> Step:
    def run(frame: Frame) -> Any:
        value = operand(frame)
        if value.__class__ is Optional:
            return _field_of_optional(value, key, present)
        if not isinstance(value, dict):
            raise values.no_overload()
        return Optional(value[key]) if present(value, key) else NONE

    return run


def _field_of_optional(optional: Optional, key: str, present: Callable[[dict[str, Any], str], bool]) -> Optional:
    if optional is NONE or optional.value is None:
        return NONE
    if not isinstance(optional.value, dict):
        raise values.no_overload()
    return Optional(optional.value[key]) if present(optional.value, key) else NONE


def _direct(call: functions.Implementation, steps: list[Step]) -> Step:
    if len(steps) == 1:
        only = steps[0]
        return lambda frame: call(only(frame))
    if len(steps) == 2:
        one, other = steps
        quick = _QUICK.get(call)
        return quick(one, other) if quick else lambda frame: call(one(frame), other(frame))
    return lambda frame: call(*[step(frame) for step in steps])


def _counted(call: functions.Implementation, steps: list[Step], cost: costs.Cost) -> Step:
    def run(frame: Frame) -> Any:
        args = [step(frame) for step in steps]
        result = call(*args)
        frame[COST] += cost(*args)
        if frame[COST] > frame[LIMIT]:
            raise CostExceeded
        return result

    return run


# Python's own operators, without a call between.
_QUICK: dict[Any, Callable[[Step, Step], Step]] = {
    operator.lt: lambda one, other: lambda frame: one(frame) < other(frame),
    operator.le: lambda one, other: lambda frame: one(frame) <= other(frame),
    operator.gt: lambda one, other: lambda frame: one(frame) > other(frame),
    operator.ge: lambda one, other: lambda frame: one(frame) >= other(frame),
    operator.eq: lambda one, other: lambda frame: one(frame) == other(frame),
    operator.ne: lambda one, other: lambda frame: one(frame) != other(frame),
}
# Equality of what is a plain value on both sides is Python's.
_PLAIN = ("bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration")
_COMPARISONS: dict[tuple[str, str], Any] = {
    **{("_==_", kind): operator.eq for kind in _PLAIN},
    **{("_!=_", kind): operator.ne for kind in _PLAIN},
}
_SPECIAL: dict[str, Callable[[Compiler, Call], Step]] = {
    "_&&_": Compiler._and,
    "_||_": Compiler._or,
    "_?_:_": Compiler._ternary,
    "or": Compiler._fallback,
    "orValue": Compiler._fallback,
}
_COMPILERS: dict[type, Callable[[Compiler, Any], Step]] = {
    Literal: Compiler._literal,
    Ident: Compiler._ident,
    Select: Compiler._select,
    ListOf: Compiler._list,
    MapOf: Compiler._map,
    Message: Compiler._message,
    Call: Compiler._call,
    Fold: Compiler._fold,
}
