"""The tree of a parsed template. `str()` of a node is its source as errors repeat it; `position` is where it stands."""

import dataclasses
from typing import Any

from steersman.kubectl.printers.go_template.lexer import LEFT, RIGHT


@dataclasses.dataclass(slots=True)
class Node:
    position: int


@dataclasses.dataclass(slots=True)
class Listing(Node):
    nodes: list[Node] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        return "".join(map(str, self.nodes))

    def is_blank(self) -> bool:
        """Nothing but space."""
        return all(isinstance(node, Text) and not node.text.strip() for node in self.nodes)


@dataclasses.dataclass(slots=True)
class Text(Node):
    text: str

    def __str__(self) -> str:
        return self.text


@dataclasses.dataclass(slots=True)
class Variable(Node):
    """`$x.a.b`: the name with its dollar, then fields."""

    names: list[str]

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclasses.dataclass(slots=True)
class Field(Node):
    names: list[str]

    def __str__(self) -> str:
        return "".join(f".{name}" for name in self.names)


@dataclasses.dataclass(slots=True)
class Identifier(Node):
    """The name of a function."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclasses.dataclass(slots=True)
class Dot(Node):
    def __str__(self) -> str:
        return "."


@dataclasses.dataclass(slots=True)
class Nil(Node):
    def __str__(self) -> str:
        return "nil"


@dataclasses.dataclass(slots=True)
class Constant(Node):
    """A boolean, a number or a string; `source` is how it was written."""

    value: Any
    source: str

    def __str__(self) -> str:
        return self.source


@dataclasses.dataclass(slots=True)
class Chain(Node):
    """`(pipeline).a.b`."""

    node: Node
    names: list[str]

    def __str__(self) -> str:
        inner = f"({self.node})" if isinstance(self.node, Pipe) else str(self.node)
        return inner + "".join(f".{name}" for name in self.names)


@dataclasses.dataclass(slots=True)
class Command(Node):
    arguments: list[Node] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        return " ".join(f"({one})" if isinstance(one, Pipe) else str(one) for one in self.arguments)


@dataclasses.dataclass(slots=True)
class Pipe(Node):
    declared: list[Variable] = dataclasses.field(default_factory=list)
    is_assignment: bool = False
    commands: list[Command] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        head = ""
        if self.declared:
            head = f"{', '.join(map(str, self.declared))} {'=' if self.is_assignment else ':='} "
        return head + " | ".join(map(str, self.commands))


@dataclasses.dataclass(slots=True)
class Action(Node):
    pipe: Pipe

    def __str__(self) -> str:
        return f"{LEFT}{self.pipe}{RIGHT}"


@dataclasses.dataclass(slots=True)
class Branch(Node):
    """`if`, `with` or `range`."""

    word: str
    pipe: Pipe
    body: Listing
    otherwise: Listing | None

    def __str__(self) -> str:
        text = f"{LEFT}{self.word} {self.pipe}{RIGHT}{self.body}"
        if self.otherwise is not None:
            text += f"{LEFT}else{RIGHT}{self.otherwise}"
        return f"{text}{LEFT}end{RIGHT}"


@dataclasses.dataclass(slots=True)
class Call(Node):
    """`template`."""

    name: str
    quoted: str
    pipe: Pipe | None

    def __str__(self) -> str:
        return f"{LEFT}template {self.quoted}{f' {self.pipe}' if self.pipe else ''}{RIGHT}"


@dataclasses.dataclass(slots=True)
class Jump(Node):
    """`break` or `continue`."""

    word: str

    def __str__(self) -> str:
        return f"{LEFT}{self.word}{RIGHT}"


@dataclasses.dataclass(slots=True)
class Mark(Node):
    """`else` or `end`, which close a list and stand in no tree."""

    word: str

    def __str__(self) -> str:
        return f"{LEFT}{self.word}{RIGHT}"
