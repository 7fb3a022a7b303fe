"""The tree of an expression. The parser makes it, the checker writes types and overloads into it, the compiler reads it.

Operators are calls with cel-go's names (`_+_`, `_[_]`, `_?_:_`), so that messages and costs are upstream's.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steersman.api.cel.functions import Overload
    from steersman.api.cel.types import Type


class Node:
    """`offset` is its place in the text; `type` what the checker found."""

    __slots__ = ("offset", "type")

    type: "Type"

    def __init__(self, offset: int) -> None:
        self.offset = offset


class Literal(Node):
    """A constant: bool, int, `values.Uint`, float, str, bytes or None."""

    __slots__ = ("value",)

    def __init__(self, offset: int, value: Any) -> None:
        super().__init__(offset)
        self.value = value


class Ident(Node):
    """A name. `constant` is the value of one that names a type."""

    __slots__ = ("constant", "name")

    def __init__(self, offset: int, name: str) -> None:
        super().__init__(offset)
        self.name = name
        self.constant: Any = None


class Select(Node):
    """`operand.field`; `is_test` is `has(operand.field)`, `is_optional` `operand.?field`.

    `key` is the field's name in the data, which may be escaped in the text. `constant` as in Ident, for dotted names.
    """

    __slots__ = ("constant", "field", "is_optional", "is_test", "key", "operand", "qualified")

    def __init__(
        self, offset: int, operand: Node, field: str, *, is_test: bool = False, is_optional: bool = False
    ) -> None:
        super().__init__(offset)
        self.operand = operand
        self.field = self.key = field
        self.is_test = is_test
        self.is_optional = is_optional
        self.constant: Any = None
        self.qualified: str | None = None  # a declared variable whose name has dots


class Call(Node):
    """A function or an operator; `target` is what stands before the dot of a method."""

    __slots__ = ("args", "function", "overloads", "target")

    def __init__(self, offset: int, function: str, args: list[Node], target: Node | None = None) -> None:
        super().__init__(offset)
        self.function = function
        self.args = args
        self.target = target
        self.overloads: list[Overload] = []

    def operands(self) -> list[Node]:
        return self.args if self.target is None else [self.target, *self.args]


class ListOf(Node):
    """`[a, ?b]`; `optional` are the indexes of entries with a question mark."""

    __slots__ = ("elements", "optional")

    def __init__(self, offset: int, elements: list[Node], optional: frozenset[int] = frozenset()) -> None:
        super().__init__(offset)
        self.elements = elements
        self.optional = optional


class Entry:
    """`key: value` of a map, `field: value` of a message."""

    __slots__ = ("field", "is_optional", "key", "offset", "value")

    def __init__(self, offset: int, key: Node | None, field: str, value: Node, *, is_optional: bool) -> None:
        self.offset = offset
        self.key = key
        self.field = field
        self.value = value
        self.is_optional = is_optional


class MapOf(Node):
    __slots__ = ("entries",)

    def __init__(self, offset: int, entries: list[Entry]) -> None:
        super().__init__(offset)
        self.entries = entries


class Message(Node):
    """`Object.spec{replicas: 1}`."""

    __slots__ = ("entries", "name")

    def __init__(self, offset: int, name: str, entries: list[Entry]) -> None:
        super().__init__(offset)
        self.name = name
        self.entries = entries


class Fold(Node):
    """A comprehension, as cel-go expands its macros; the checker and the estimate of costs walk this form.

    `macro` and `parts` say what it came from, which is what the compiler makes a loop of.
    """

    __slots__ = (
        "accu",
        "condition",
        "init",
        "macro",
        "over",
        "parts",
        "result",
        "step",
        "variable",
        "variable2",
    )

    def __init__(
        self,
        offset: int,
        macro: str,
        over: Node,
        variables: tuple[str, str],
        accu: str,
        init: Node,
        condition: Node,
        step: Node,
        result: Node,
        parts: tuple[Node | None, ...],
    ) -> None:
        super().__init__(offset)
        self.macro = macro
        self.over = over
        self.variable, self.variable2 = variables
        self.accu = accu
        self.init = init
        self.condition = condition
        self.step = step
        self.result = result
        self.parts = parts
