"""Macros as loops: what `all`, `map`, `cel.bind` … compile to.

Costs of a turn are those of the tree cel-go makes of the macro, so that budgets end where upstream's end.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from steersman.api.cel import values
from steersman.api.cel.syntax import Fold, Node
from steersman.api.cel.values import CostExceeded, EvalError

if TYPE_CHECKING:
    from steersman.api.cel.compiler import Compiler, Frame, Step

COST, LIMIT = 0, 1
_FAILURES = (EvalError, KeyError, TypeError, AttributeError, RecursionError)  # compiler.FAILURES

# What the tree around the parts costs each turn, and once at the end.
_TURN = {"all": 3, "exists": 4, "exists_one": 1, "list": 12, "map": 3, "map_entries": 2}
_END = {"all": 1, "exists": 1, "exists_one": 2, "list": 11, "map": 31, "map_entries": 31}


def compile(compiler: "Compiler", fold: Fold) -> "Step":  # noqa: A001 — the module is used qualified
    if fold.macro == "bind":
        return _bind(compiler, fold)
    over = compiler.compile(fold.over)
    compiler.cost += _END[fold.macro]
    names = (fold.variable, fold.variable2) if fold.variable2 else (fold.variable,)
    with compiler.bound(*names) as slots:
        turns = _Turns(over, slots, _TURN[fold.macro])
        return _MACROS[fold.macro](compiler, fold, turns)


def _bind(compiler: "Compiler", fold: Fold) -> "Step":
    value = compiler.compile(fold.init)
    compiler.cost += 10  # of the empty list that the tree ranges over
    with compiler.bound(fold.accu) as (slot,):
        body = compiler.compile(_part(fold, 1))

    def run(frame: "Frame") -> Any:
        frame[slot] = value(frame)
        return body(frame)

    return run


class _Turns:
    """Goes through a range, one or two names at a time, and counts."""

    def __init__(self, over: "Step", slots: tuple[int, ...], cost: int) -> None:
        self._over = over
        self._first = slots[0]
        self._second = slots[1] if len(slots) > 1 else None
        self.cost = cost

    def of(self, frame: "Frame") -> Iterable[Any]:
        """Each turn has the names set and its cost counted. Raises EvalError for what is no range."""
        ranged = self._over(frame)
        if not isinstance(ranged, list | dict):
            raise values.no_overload()
        first, second, cost, limit = self._first, self._second, self.cost, frame[LIMIT]
        if second is None:
            for item in ranged:
                frame[first] = item
                frame[COST] += cost
                if frame[COST] > limit:
                    raise CostExceeded
                yield item
            return
        for key, item in ranged.items() if isinstance(ranged, dict) else enumerate(ranged):
            frame[first], frame[second] = key, item
            frame[COST] += cost
            if frame[COST] > limit:
                raise CostExceeded
            yield key


def _part(fold: Fold, index: int) -> Node:
    found = fold.parts[index]
    assert found is not None, "a part that is there"
    return found


def _body(compiler: "Compiler", fold: Fold, turns: _Turns, index: int) -> "Step":
    """A part that runs every turn: its cost is the turn's."""
    step, cost = compiler.branch(_part(fold, index))
    turns.cost += cost
    return step


def _quantifier(compiler: "Compiler", fold: Fold, turns: _Turns) -> "Step":
    """A turn that decides ends it, whatever errors there were; without one, the first error counts."""
    body = _body(compiler, fold, turns, 0)
    decides = fold.macro == "exists"

    def run(frame: "Frame") -> bool:
        failure: Exception | None = None
        for _ in turns.of(frame):
            try:
                value = body(frame)
            except _FAILURES as error:
                failure = failure or error
                continue
            if value is decides:
                return value is True
            if value.__class__ is not bool:
                failure = failure or values.no_overload()
        if failure is not None:
            raise failure
        return not decides

    return run


def _exists_one(compiler: "Compiler", fold: Fold, turns: _Turns) -> "Step":
    body = _body(compiler, fold, turns, 0)

    def run(frame: "Frame") -> bool:
        return sum(1 for _ in turns.of(frame) if _truth(body(frame))) == 1

    return run


def _truth(value: Any) -> bool:
    if value.__class__ is not bool:
        raise values.no_overload()
    return bool(value)


def _condition(compiler: "Compiler", fold: Fold, turns: _Turns) -> "Step | None":
    return None if fold.parts[0] is None else _body(compiler, fold, turns, 0)


def _list(compiler: "Compiler", fold: Fold, turns: _Turns) -> "Step":
    condition = _condition(compiler, fold, turns)
    made, cost = compiler.branch(_part(fold, 1))
    if condition is None:
        turns.cost += cost
        return lambda frame: [made(frame) for _ in turns.of(frame)]
    # A turn that is left out only looks at the list so far.
    cost += _TURN["list"] - 1
    turns.cost -= _TURN["list"] - 1
    asked = condition

    def run(frame: "Frame") -> list[Any]:
        found = []
        for _ in turns.of(frame):
            if _truth(asked(frame)):
                frame[COST] += cost
                found.append(made(frame))
        return found

    return run


def _map(compiler: "Compiler", fold: Fold, turns: _Turns) -> "Step":
    condition = _condition(compiler, fold, turns)
    made = _body(compiler, fold, turns, 1)
    of_entries = fold.macro == "map_entries"

    def run(frame: "Frame") -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key in turns.of(frame):
            if condition is not None and not _truth(condition(frame)):
                continue
            value = made(frame)
            for name, item in value.items() if of_entries else ((key, value),):
                if name in found:
                    raise EvalError(f"insert failed: key {name} already exists")
                found[name] = item
        return found

    return run


_MACROS: dict[str, Callable[["Compiler", Fold, _Turns], "Step"]] = {
    "all": _quantifier,
    "exists": _quantifier,
    "exists_one": _exists_one,
    "list": _list,
    "map": _map,
    "map_entries": _map,
}
