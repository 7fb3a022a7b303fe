"""Macros: calls that are written as functions and are none, because they bind names or do not evaluate an argument.

Each becomes the tree cel-go makes of it. Sources: cel-go's parser/macro.go, ext/comprehensions.go, ext/bindings.go,
cel/library.go (optionals).
"""

from collections.abc import Callable

from steersman.api.cel.source import Issue
from steersman.api.cel.syntax import Call, Fold, Ident, ListOf, Literal, MapOf, Node, Select

ACCU = "@result"
UNUSED = "#unused"

_Args = list[Node]
_Expander = Callable[[int, Node, _Args, list[Issue]], Node | None]


def expand(offset: int, function: str, args: _Args, target: Node | None, issues: list[Issue]) -> Node | None:
    """None for a call that is no macro. Wrong arguments are added to the issues."""
    if target is None:
        return _has(offset, args, issues) if function == "has" and len(args) == 1 else None
    if isinstance(target, Ident) and target.name == "cel" and function == "bind" and len(args) == 3:
        return _bind(offset, args, issues)
    found = _METHODS.get((function, len(args)))
    return None if found is None else found(offset, target, args, issues)


def _has(offset: int, args: _Args, issues: list[Issue]) -> Node | None:
    operand = args[0]
    if isinstance(operand, Select) and not operand.is_test and not operand.is_optional:
        return Select(offset, operand.operand, operand.field, is_test=True)
    issues.append(Issue(operand.offset, "invalid argument to has() macro"))
    return operand


def _name(node: Node, issues: list[Issue], what: str = "argument must be a simple name") -> str:
    if isinstance(node, Ident) and "." not in node.name:
        if node.name in (ACCU, "__result__"):
            issues.append(Issue(node.offset, "iteration variable overwrites accumulator variable"))
        return node.name
    issues.append(Issue(node.offset, what))
    return ""


def _names(args: _Args, count: int, issues: list[Issue]) -> tuple[str, str]:
    first = _name(args[0], issues)
    if count == 1:
        return first, ""
    second = _name(args[1], issues)
    if first and first == second:
        issues.append(Issue(args[1].offset, f"duplicate variable name: {second}"))
    return first, second


def _bind(offset: int, args: _Args, issues: list[Issue]) -> Node:
    name = _name(args[0], issues, "cel.bind() variable names must be simple identifiers")
    return _bound(offset, name, args[1], args[2])


def _bound(offset: int, name: str, value: Node, body: Node) -> Fold:
    never = Literal(offset, False)
    nothing, itself = ListOf(offset, []), Ident(offset, name)
    return Fold(offset, "bind", nothing, (UNUSED, ""), name, value, never, itself, body, (value, body))


def _quantifier(macro: str, count: int) -> _Expander:
    """all, exists: stop as soon as it is decided, and errors count only if nothing decides."""
    is_all = macro == "all"

    def expander(offset: int, target: Node, args: _Args, issues: list[Issue]) -> Node:
        names = _names(args, count, issues)
        body = args[count]
        accu = Ident(offset, ACCU)
        asked: Node = accu if is_all else Call(offset, "!_", [accu])
        condition = Call(offset, "@not_strictly_false", [asked])
        step = Call(offset, "_&&_" if is_all else "_||_", [Ident(offset, ACCU), body])
        init = Literal(offset, is_all)
        return Fold(offset, macro, target, names, ACCU, init, condition, step, Ident(offset, ACCU), (body,))

    return expander


def _exists_one(count: int) -> _Expander:
    def expander(offset: int, target: Node, args: _Args, issues: list[Issue]) -> Node:
        names = _names(args, count, issues)
        body = args[count]
        more = Call(offset, "_+_", [Ident(offset, ACCU), Literal(offset, 1)])
        step = Call(offset, "_?_:_", [body, more, Ident(offset, ACCU)])
        result = Call(offset, "_==_", [Ident(offset, ACCU), Literal(offset, 1)])
        init = Literal(offset, 0)
        return Fold(offset, "exists_one", target, names, ACCU, init, _always(offset), step, result, (body,))

    return expander


def _collector(count: int, *, filtered: bool, keeps: bool = False) -> _Expander:
    """map, filter, transformList: a list of what is made of each. `keeps`: of the items themselves."""

    def expander(offset: int, target: Node, args: _Args, issues: list[Issue]) -> Node:
        names = _names(args, count, issues)
        condition = args[count] if filtered else None
        made: Node = Ident(args[0].offset, names[0]) if keeps else args[-1]
        step: Node = Call(offset, "_+_", [Ident(offset, ACCU), ListOf(offset, [made])])
        if condition is not None:
            step = Call(offset, "_?_:_", [condition, step, Ident(offset, ACCU)])
        nothing, result = ListOf(offset, []), Ident(offset, ACCU)
        return Fold(offset, "list", target, names, ACCU, nothing, _always(offset), step, result, (condition, made))

    return expander


def _map_collector(*, filtered: bool, entries: bool) -> _Expander:
    """transformMap, transformMapEntry."""

    def expander(offset: int, target: Node, args: _Args, issues: list[Issue]) -> Node:
        names = _names(args, 2, issues)
        condition = args[2] if filtered else None
        made = args[-1]
        accu = Ident(offset, ACCU)
        pieces: _Args = [accu, made] if entries else [accu, Ident(args[0].offset, names[0]), made]
        step: Node = Call(offset, "cel.@mapInsert", pieces)
        if condition is not None:
            step = Call(offset, "_?_:_", [condition, step, Ident(offset, ACCU)])
        macro = "map_entries" if entries else "map"
        nothing, result = MapOf(offset, []), Ident(offset, ACCU)
        return Fold(offset, macro, target, names, ACCU, nothing, _always(offset), step, result, (condition, made))

    return expander


def _sort_by(offset: int, target: Node, args: _Args, issues: list[Issue]) -> Node:
    keys = _METHODS["map", 2](offset, target, args, issues)
    assert keys is not None, "a map of what is sorted"
    return Call(offset, "@sortByAssociatedKeys", [keys], target)


def _optional(*, flat: bool) -> _Expander:
    """optMap, optFlatMap."""

    def expander(offset: int, target: Node, args: _Args, issues: list[Issue]) -> Node:
        what = f"{'optFlatMap' if flat else 'optMap'}() variable name must be a simple identifier"
        name = _name(args[0], issues, what)
        value = Call(offset, "value", [], target)
        body: Node = _bound(offset, name, value, args[1])
        if not flat:
            body = Call(offset, "optional.of", [body])
        there = Call(offset, "hasValue", [], target)
        return Call(offset, "_?_:_", [there, body, Call(offset, "optional.none", [])])

    return expander


def _always(offset: int) -> Literal:
    return Literal(offset, True)


_METHODS: dict[tuple[str, int], _Expander] = {
    ("all", 2): _quantifier("all", 1),
    ("exists", 2): _quantifier("exists", 1),
    ("exists_one", 2): _exists_one(1),
    ("existsOne", 2): _exists_one(1),
    ("map", 2): _collector(1, filtered=False),
    ("map", 3): _collector(1, filtered=True),
    ("filter", 2): _collector(1, filtered=True, keeps=True),
    ("all", 3): _quantifier("all", 2),
    ("exists", 3): _quantifier("exists", 2),
    ("exists_one", 3): _exists_one(2),
    ("existsOne", 3): _exists_one(2),
    ("transformList", 3): _collector(2, filtered=False),
    ("transformList", 4): _collector(2, filtered=True),
    ("transformMap", 3): _map_collector(filtered=False, entries=False),
    ("transformMap", 4): _map_collector(filtered=True, entries=False),
    ("transformMapEntry", 3): _map_collector(filtered=False, entries=True),
    ("transformMapEntry", 4): _map_collector(filtered=True, entries=True),
    ("sortBy", 2): _sort_by,
    ("optMap", 2): _optional(flat=False),
    ("optFlatMap", 2): _optional(flat=True),
}
