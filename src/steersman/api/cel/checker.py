"""Gives every part of an expression its type, every call its overloads, and finds what cannot be.

Source: cel-go's checker; the texts of errors are its.
"""

from collections.abc import Mapping
from typing import Any

from steersman.api.cel import literals, types, values
from steersman.api.cel.functions import Functions, Overload
from steersman.api.cel.source import CompileError, Issue
from steersman.api.cel.syntax import Call, Fold, Ident, ListOf, Literal, MapOf, Message, Node, Select
from steersman.api.cel.types import BOOL, DYN, ERROR, INT, Type


def check(text: str, root: Node, variables: Mapping[str, Type], functions: Functions, messages: "Messages") -> Type:
    """The type of the whole; types are written into the tree. Raises CompileError."""
    checker = _Checker(variables, functions, messages)
    checker.visit(root)
    if not checker.issues:
        checker.settle()
        checker.issues += literals.issues(checker.seen)
    if checker.issues:
        raise CompileError(text, checker.issues)
    return root.type


class Messages:
    """The message types expressions may make; none here."""

    def find(self, name: str) -> Type | None:
        return None


_LITERALS: dict[type, Type] = {
    bool: BOOL,
    int: INT,
    values.Uint: types.UINT,
    float: types.DOUBLE,
    str: types.STRING,
    bytes: types.BYTES,
    type(None): types.NULL,
}


class _Checker:
    def __init__(self, variables: Mapping[str, Type], functions: Functions, messages: Messages) -> None:
        self._scopes: list[Mapping[str, Type]] = [variables]
        self._functions = functions
        self._messages = messages
        self._unifier = types.Unifier()
        self.issues: list[Issue] = []
        self.seen: list[Node] = []

    def visit(self, node: Node) -> Type:
        found: Type = _VISITORS[node.__class__](self, node)
        node.type = found
        self.seen.append(node)
        return found

    def settle(self) -> None:
        """What is still open is dynamic."""
        for node in self.seen:
            node.type = self._unifier.resolve(node.type, free_to_dyn=True)

    def _fail(self, offset: int, message: str) -> None:
        if not any(issue.offset == offset and issue.message == message for issue in self.issues):
            self.issues.append(Issue(offset, message))

    def _type_of(self, node: Node) -> Type:
        return self._unifier.resolve(node.type)

    # Leaves and selections.

    def _literal(self, node: Literal) -> Type:
        return _LITERALS[node.value.__class__]

    def _ident(self, node: Ident) -> Type:
        found = self._variable(node.name)
        if found is not None:
            return found
        if node.name in types.NAMED:
            node.constant = values.TypeValue(node.name)
            return types.type_of(types.NAMED[node.name])
        self._fail(node.offset, f"undeclared reference to '{node.name}' (in container '')")
        return ERROR

    def _variable(self, name: str) -> Type | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return None

    def _select(self, node: Select) -> Type:
        name = _qualified(node)
        if name in types.NAMED and not node.is_test and self._variable(name.partition(".")[0]) is None:
            node.constant = values.TypeValue(name)
            return types.type_of(types.NAMED[name])
        if name and not node.is_test and name in self._scopes[0]:
            node.qualified = name
            return self._scopes[0][name]
        self.visit(node.operand)
        operand = self._type_of(node.operand)
        is_optional = node.is_optional
        if types.is_optional(operand):
            operand, is_optional = operand.params[0], True
        found = self._field(node, operand)
        if node.is_test:
            return BOOL
        return types.optional_of(found) if is_optional and found is not ERROR else found

    def _field(self, node: Select, operand: Type) -> Type:
        if operand.kind == "struct":
            field = types.field_of(operand, node.field)
            if field is None:
                self._fail(node.offset, f"undefined field '{node.field}'")
                return ERROR
            node.key = field[1]
            inner: Type = field[0]
            return inner
        if operand.kind == "map":
            return operand.params[1]
        if operand.kind in ("dyn", "error", "param"):
            return DYN
        self._fail(node.offset, f"type '{operand}' does not support field selection")
        return ERROR

    # Calls.

    def _call(self, node: Call) -> Type:
        for arg in node.args:
            self.visit(arg)
        if node.target is not None:
            name = _qualified(node.target)
            if name and f"{name}.{node.function}" in self._functions and self._variable(name.partition(".")[0]) is None:
                node.function, node.target = f"{name}.{node.function}", None
                return self._resolved(node, [self._type_of(arg) for arg in node.args])
            self.visit(node.target)
        if node.function not in self._functions:
            self._fail(node.offset, f"undeclared reference to '{node.function}' (in container '')")
            return ERROR
        return self._resolved(node, [self._type_of(one) for one in node.operands()])

    def _resolved(self, node: Call, given: list[Type]) -> Type:
        is_member = node.target is not None
        result: Type | None = None
        found: list[Overload] = []
        for overload in self._functions[node.function]:
            if overload.is_member is not is_member:
                continue
            *params, instance = self._unifier.instance((*overload.params, overload.result))
            if not self._unifier.all_assignable(tuple(given), tuple(params)):
                continue
            found.append(overload)
            one = self._unifier.resolve(instance)
            if result is None:
                result = one
            elif result != one and result is not DYN:
                result = DYN
        if result is None:
            shown = [str(self._unifier.resolve(one, free_to_dyn=False)) for one in given]
            signature = f"{shown[0]}.({', '.join(shown[1:])})" if is_member else f"({', '.join(shown)})"
            what = f"found no matching overload for '{node.function}' applied to '{signature}'"
            self._fail(node.offset, what)
            return ERROR
        node.overloads = found
        return result

    # Aggregates.

    def _list(self, node: ListOf) -> Type:
        joined: Type | None = None
        for index, element in enumerate(node.elements):
            found = self.visit(element)
            if index in node.optional:
                found = self._opened(element, found)
            joined = self._join(element.offset, joined, found)
        return types.list_of(joined or self._unifier.fresh())

    def _map(self, node: MapOf) -> Type:
        keys: Type | None = None
        items: Type | None = None
        for entry in node.entries:
            assert entry.key is not None, "an entry of a map has a key"
            keys = self._join(entry.key.offset, keys, self.visit(entry.key))
            found = self.visit(entry.value)
            if entry.is_optional:
                found = self._opened(entry.value, found)
            items = self._join(entry.value.offset, items, found)
        return types.map_of(keys or self._unifier.fresh(), items or self._unifier.fresh())

    def _message(self, node: Message) -> Type:
        made = self._messages.find(node.name)
        if made is None:
            self._fail(node.offset, f"undeclared reference to '{node.name}' (in container '')")
        for entry in node.entries:
            found = self.visit(entry.value)
            if entry.is_optional:
                found = self._opened(entry.value, found)
            if made is None:
                continue
            field = types.field_of(made, entry.field)
            if field is None:
                self._fail(entry.offset, f"undefined field '{entry.field}'")
                continue
            if not self._unifier.assignable(field[0], found):
                shown = self._unifier.resolve(found)
                what = f"expected type of field '{entry.field}' is '{field[0]}' but provided type is '{shown}'"
                self._fail(entry.offset, what)
            entry.field = field[1]
        return made or ERROR

    def _opened(self, node: Node, found: Type) -> Type:
        """What an entry marked with `?` puts in."""
        resolved = self._unifier.resolve(found)
        if types.is_optional(resolved):
            return resolved.params[0]
        if not types.is_loose(resolved):
            self._fail(node.offset, f"expected type 'optional_type({resolved})' but found '{resolved}'")
        return DYN

    def _join(self, offset: int, before: Type | None, found: Type) -> Type:
        """Lists and maps hold one type, unless it is dynamic."""
        if before is None:
            return found
        if self._unifier.assignable(before, found):
            return types.most_general(before, found)
        shown = (self._unifier.resolve(before), self._unifier.resolve(found))
        self._fail(offset, f"expected type '{shown[0]}' but found '{shown[1]}'")
        return ERROR

    # Comprehensions.

    def _fold(self, node: Fold) -> Type:
        self.visit(node.over)
        accu = self.visit(node.init)
        first, second = self._ranges(node)
        inner = {node.accu: accu, node.variable: first}
        if node.variable2:
            inner[node.variable2] = second
        if node.macro == "bind":
            inner = {node.accu: accu}
        self._scopes.append(inner)
        self._expect(node.condition, self.visit(node.condition), BOOL)
        self._expect(node.step, self.visit(node.step), accu)
        self._scopes[-1] = {node.accu: self._unifier.resolve(accu)}
        result = self.visit(node.result)
        self._scopes.pop()
        return self._unifier.resolve(result)

    def _ranges(self, node: Fold) -> tuple[Type, Type]:
        """Of one variable: items of lists, keys of maps; of two: index and item, key and value."""
        over = self._type_of(node.over)
        if over.kind == "list":
            return (INT, over.params[0]) if node.variable2 else (over.params[0], DYN)
        if over.kind == "map":
            return over.params[0], over.params[1]
        if over.kind in ("dyn", "error", "param"):
            return DYN, DYN
        what = f"expression of type '{over}' cannot be range of a comprehension (must be list, map, or dynamic)"
        self._fail(node.over.offset, what)
        return ERROR, ERROR

    def _expect(self, node: Node, found: Type, wanted: Type) -> None:
        if not self._unifier.assignable(wanted, found):
            shown = (self._unifier.resolve(wanted), self._unifier.resolve(found))
            # The mistake is in what the user wrote, and not in the step around it.
            self._fail(node.offset, f"expected type '{shown[0]}' but found '{shown[1]}'")


def _qualified(node: Node) -> str:
    """`a.b.c` as a name; "" for anything else."""
    parts: list[str] = []
    seen: Any = node
    while isinstance(seen, Select) and not (seen.is_test or seen.is_optional):
        parts.append(seen.field)
        seen = seen.operand
    return ".".join([seen.name, *reversed(parts)]) if isinstance(seen, Ident) else ""


_VISITORS: dict[type, Any] = {
    Literal: _Checker._literal,
    Ident: _Checker._ident,
    Select: _Checker._select,
    Call: _Checker._call,
    ListOf: _Checker._list,
    MapOf: _Checker._map,
    Message: _Checker._message,
    Fold: _Checker._fold,
}
