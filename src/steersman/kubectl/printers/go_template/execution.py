"""Walk a template's trees over an object and write what comes out. Source of the rules: Go's text/template.

A value is either known with its own type or boxed in an interface, as every element of a map or a list is: errors name
the type accordingly, and a nil in a box is another thing than no value at all.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from steersman.kubectl.printers import go_values
from steersman.kubectl.printers.go_template import functions, nodes, parser
from steersman.kubectl.printers.go_template.functions import INVALID, CallError
from steersman.kubectl.printers.go_template.parser import ParseError

__all__ = ["ExecutionError", "ParseError", "Template"]

_NAME = "output"  # what kubectl calls its template
_DEPTH_MAX = 100_000  # Go's limit of templates that call templates; Python's own comes first
_INT64_MAX = 2**63 - 1
_NONE = object()  # a command that is not fed by a pipe


class ExecutionError(Exception):
    """The whole sentence, with the place in the template."""


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


@dataclasses.dataclass(frozen=True, slots=True)
class Boxed:
    """An element of a map or a list."""

    value: Any


def _open(value: Any) -> Any:
    """Out of its box; a nil in a box is no value."""
    if isinstance(value, Boxed):
        return INVALID if value.value is None else value.value
    return value


class Template:
    def __init__(self, text: str, *, allow_missing_keys: bool = True) -> None:
        """Raises ParseError."""
        self.text = text
        self._trees = parser.parse(_NAME, text, functions.FUNCTIONS)
        self._allow_missing_keys = allow_missing_keys

    def execute(self, data: Any, write: Callable[[str], object]) -> None:
        """What is written before an error stays written. Raises ExecutionError."""
        run = _Run(self.text, self._trees, write, self._allow_missing_keys)
        try:
            run.template(_NAME, data)
        except RecursionError:
            raise run.wrong(f"exceeded maximum template depth ({_DEPTH_MAX})") from None


class _Run:
    def __init__(self, text: str, trees: parser.Trees, write: Callable[[str], object], allow_missing: bool) -> None:
        self._text = text
        self._trees = trees
        self._write = write
        self._allow_missing = allow_missing
        self._variables: list[list[Any]] = []
        self._node: nodes.Node = nodes.Dot(0)
        self._template = _NAME

    def template(self, name: str, dot: Any) -> None:
        outer, outer_name = self._variables, self._template
        self._variables, self._template = [["$", dot]], name
        self._walk(dot, self._trees[name])
        self._variables, self._template = outer, outer_name

    def wrong(self, why: str) -> ExecutionError:
        before = self._text[: self._node.position]
        line, column = 1 + before.count("\n"), len(before.rpartition("\n")[2].encode())
        context = str(self._node)
        name = go_values.quote(self._template)
        return ExecutionError(f"template: {_NAME}:{line}:{column}: executing {name} at <{context}>: {why}")

    # Nodes that write.

    def _walk(self, dot: Any, node: nodes.Node) -> None:
        self._node = node
        match node:
            case nodes.Listing():
                for one in node.nodes:
                    self._walk(dot, one)
            case nodes.Text():
                self._write(node.text)
            case nodes.Action():
                value = self._pipeline(dot, node.pipe)
                if not node.pipe.declared:
                    self._node = node
                    self._write("<no value>" if value is INVALID else go_values.show(value))
            case nodes.Branch() if node.word == "range":
                self._range(dot, node)
            case nodes.Branch():
                self._branch(dot, node)
            case nodes.Call():
                self._call_template(dot, node)
            case nodes.Jump():
                raise _Break if node.word == "break" else _Continue

    def _branch(self, dot: Any, node: nodes.Branch) -> None:
        known = len(self._variables)
        value = self._pipeline(dot, node.pipe)
        if go_values.is_true(value):
            self._walk(value if node.word == "with" else dot, node.body)
        elif node.otherwise is not None:
            self._walk(dot, node.otherwise)
        del self._variables[known:]

    def _range(self, dot: Any, node: nodes.Branch) -> None:
        known = len(self._variables)
        value = self._pipeline(dot, node.pipe)
        with contextlib.suppress(_Break):
            if not self._loop(value, node) and node.otherwise is not None:
                self._walk(dot, node.otherwise)
        del self._variables[known:]

    def _loop(self, value: Any, node: nodes.Branch) -> bool:
        """Whether there was anything to go through."""
        declared, known = node.pipe.declared, len(self._variables)
        items = self._items(value, node)
        for key, element in items:
            if len(declared) > 1:
                self._assign(node, 0, key)
                self._assign(node, 1, element)
            elif declared:
                self._assign(node, 0, element)
            with contextlib.suppress(_Continue):
                self._walk(element, node.body)
            del self._variables[known:]
        return bool(items)

    def _assign(self, node: nodes.Branch, which: int, value: Any) -> None:
        declared = node.pipe.declared
        if node.pipe.is_assignment:
            self._set(declared[which].names[0], value)
        else:
            self._variables[len(self._variables) - len(declared) + which][1] = value

    def _items(self, value: Any, node: nodes.Branch) -> list[tuple[Any, Any]]:
        if value is INVALID:
            return []
        if isinstance(value, int) and not isinstance(value, bool):
            if len(node.pipe.declared) > 1:
                raise self.wrong(f"can't use {go_values.show(value)} to iterate over more than one variable")
            return [(number, number) for number in map(type(value), range(value))]
        if isinstance(value, list):
            return [(go_values.Int(at), Boxed(one)) for at, one in enumerate(value)]
        if isinstance(value, Mapping):
            return [(key, Boxed(value[key])) for key in sorted(value)]
        raise self.wrong(f"range can't iterate over {go_values.show(value)}")

    def _call_template(self, dot: Any, node: nodes.Call) -> None:
        if node.name not in self._trees:
            raise self.wrong(f"template {go_values.quote(node.name)} not defined")
        value = INVALID if node.pipe is None else self._pipeline(dot, node.pipe)
        self.template(node.name, value)

    # Pipelines and commands.

    def _pipeline(self, dot: Any, pipe: nodes.Pipe) -> Any:
        self._node = pipe
        value: Any = _NONE
        for command in pipe.commands:
            value = _open(self._command(dot, command, value))
        for variable in pipe.declared:
            if pipe.is_assignment:
                self._set(variable.names[0], value)
            else:
                self._variables.append([variable.names[0], value])
        return value

    def _set(self, name: str, value: Any) -> None:
        for variable in reversed(self._variables):
            if variable[0] == name:
                variable[1] = value
                return
        raise self.wrong(f"undefined variable: {name}")

    def _command(self, dot: Any, command: nodes.Command, final: Any) -> Any:
        first, arguments = command.arguments[0], command.arguments
        match first:
            case nodes.Field() | nodes.Chain() | nodes.Variable():
                return self._fields(dot, first, arguments, final)
            case nodes.Identifier():
                return self._function(dot, first, command, arguments[1:], final)
            case nodes.Pipe():
                self._no_arguments(arguments, final)
                return self._pipeline(dot, first)
        self._node = first
        self._no_arguments(arguments, final)
        if isinstance(first, nodes.Nil):
            raise self.wrong("nil is not a command")
        return dot if isinstance(first, nodes.Dot) else self._constant(first)

    def _no_arguments(self, arguments: list[nodes.Node], final: Any) -> None:
        if len(arguments) > 1 or final is not _NONE:
            raise self.wrong(f"can't give argument to non-function {arguments[0]}")

    def _constant(self, node: nodes.Node) -> Any:
        assert isinstance(node, nodes.Constant)
        if isinstance(node.value, int) and node.value > _INT64_MAX:
            self._node = node
            raise self.wrong(f"{node} overflows int")
        return node.value

    def _fields(self, dot: Any, node: nodes.Node, arguments: list[nodes.Node], final: Any) -> Any:
        """A chain of fields from dot, a variable or a pipeline in parentheses."""
        self._node = node
        match node:
            case nodes.Field():
                receiver, names = dot, node.names
            case nodes.Variable():
                receiver, names = self._variable(node.names[0]), node.names[1:]
                if not names:
                    self._no_arguments(arguments, final)
                    return receiver
            case nodes.Chain():
                if isinstance(node.node, nodes.Nil):
                    raise self.wrong(f"indirection through explicit nil in {node}")
                receiver, names = self._argument(dot, node.node), node.names
            case _:
                raise AssertionError(node)
        has_arguments = len(arguments) > 1 or final is not _NONE
        for at, name in enumerate(names):
            receiver = self._field(receiver, name, has_arguments and at == len(names) - 1)
        return receiver

    def _variable(self, name: str) -> Any:
        for variable in reversed(self._variables):
            if variable[0] == name:
                return variable[1]
        raise self.wrong(f"undefined variable: {name}")

    def _field(self, receiver: Any, name: str, has_arguments: bool) -> Any:
        if receiver is INVALID:
            if not self._allow_missing:
                raise self.wrong(f"nil data; no entry for key {go_values.quote(name)}")
            return INVALID
        boxed = isinstance(receiver, Boxed)
        value = receiver.value if boxed else receiver
        if value is None:
            raise self.wrong(f"nil pointer evaluating interface {{}}.{name}")
        if not isinstance(value, Mapping):
            kind = "interface {}" if boxed else go_values.type_name(value)
            raise self.wrong(f"can't evaluate field {name} in type {kind}")
        if has_arguments:
            raise self.wrong(f"{name} is not a method but has arguments")
        if name in value:
            return Boxed(value[name])
        if not self._allow_missing:
            raise self.wrong(f"map has no entry for key {go_values.quote(name)}")
        return INVALID

    # Functions and their arguments.

    def _function(
        self, dot: Any, node: nodes.Identifier, command: nodes.Node, arguments: list[nodes.Node], final: Any
    ) -> Any:
        self._node = node
        name = node.name
        function, least, most, prints, takes_string = functions.FUNCTIONS[name]
        count = len(arguments) + (final is not _NONE)
        if most is None and count < least:
            raise self.wrong(f"wrong number of args for {name}: want at least {least} got {len(arguments)}")
        if most is not None and count != most:
            raise self.wrong(f"wrong number of args for {name}: want {most} got {count}")
        if name in ("and", "or"):
            return self._shortcut(dot, name, arguments, final)
        values = [self._argument(dot, one, want_string=takes_string and at == 0) for at, one in enumerate(arguments)]
        if final is not _NONE:
            values.append(self._typed(final, takes_string and not values))
        values = [_raw(one) if not prints else functions.plain(_raw(one)) for one in values]
        try:
            result = function(*([str(arguments[0]) if arguments else "nil"] if name == "call" else []), *values)
        except CallError as wrong:
            self._node = command
            raise self.wrong(f"error calling {name}: {wrong}") from None
        return Boxed(result) if name == "index" else result

    def _shortcut(self, dot: Any, name: str, arguments: list[nodes.Node], final: Any) -> Any:
        """The first argument that decides; those after it are not evaluated."""
        value: Any = INVALID
        for one in arguments:
            value = self._argument(dot, one)
            if go_values.is_true(_raw(value)) == (name == "or"):
                return value
        return value if final is _NONE else final

    def _argument(self, dot: Any, node: nodes.Node, *, want_string: bool = False) -> Any:
        self._node = node
        match node:
            case nodes.Dot():
                return self._typed(dot, want_string)
            case nodes.Nil():
                if want_string:
                    raise self.wrong("cannot assign nil to string")
                return INVALID
            case nodes.Field() | nodes.Variable() | nodes.Chain():
                return self._typed(self._fields(dot, node, [node], _NONE), want_string)
            case nodes.Pipe():
                return self._typed(self._pipeline(dot, node), want_string)
            case nodes.Identifier():
                return self._typed(self._function(dot, node, node, [], _NONE), want_string)
        value = self._constant(node)
        if want_string and not isinstance(value, str):
            raise self.wrong(f"expected string; found {node}")
        return value

    def _typed(self, value: Any, want_string: bool) -> Any:
        """A value for a parameter that must be a string, or for one that takes anything."""
        if not want_string or isinstance(_raw(value), str):
            return value
        if value is INVALID:
            raise self.wrong("invalid value; expected string")
        kind = (
            go_values.type_name(_raw(value))
            if not isinstance(value, Boxed) or value.value is not None
            else "interface {}"
        )
        raise self.wrong(f"wrong type for value; expected string; got {kind}")


def _raw(value: Any) -> Any:
    return value.value if isinstance(value, Boxed) else value
