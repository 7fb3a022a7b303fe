"""Tokens to a tree, by the grammar of the CEL specification. Macros are expanded as they are met.

Offsets are cel-go's: an operator's own, the bracket of a call, the dot of a selection.
"""

from typing import Any

from steersman.api.cel import escaping, lexer, macros
from steersman.api.cel.lexer import Token
from steersman.api.cel.source import CompileError, Issue
from steersman.api.cel.syntax import Call, Entry, Ident, ListOf, Literal, MapOf, Message, Node, Select

DEPTH_MAX = 250  # cel-go's limit of recursion; Python's own ends earlier in some shapes, with the same words
LENGTH_MAX = 100_000  # cel-go's: characters of one expression

_RELATIONS = {
    "==": "_==_",
    "!=": "_!=_",
    "<": "_<_",
    "<=": "_<=_",
    ">": "_>_",
    ">=": "_>=_",
    "in": "@in",
}
_CLOSING = frozenset((")", "]", "}"))
_SUMS = {"+": "_+_", "-": "_-_"}
_PRODUCTS = {"*": "_*_", "/": "_/_", "%": "_%_"}
_STARTS = (
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
)


def parse(text: str) -> Node:
    """Raises CompileError."""
    if len(text) > LENGTH_MAX:
        what = f"expression code point size exceeds limit: size: {len(text)}, limit {LENGTH_MAX}"
        raise CompileError(text, [Issue(0, what)])
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens, self._issues = lexer.tokens(text)
        self._index = 0
        self._depth = 0

    def whole(self) -> Node:
        found = self._expression()
        if self._next.kind != "end":
            how = "extraneous" if self._peek(1).kind == "end" else "mismatched"
            raise self._wrong(self._next, f"Syntax error: {how} input '{self._next.text}' expecting <EOF>")
        if self._issues:
            raise CompileError(self._text, self._issues)
        return found

    # Operators, loosest first.

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._wrong(self._next, f"expression recursion limit exceeded: {DEPTH_MAX}")
        condition = self._or()
        if self._next.kind == "?":
            offset = self._take().offset
            then = self._or()
            self._expect(":")
            otherwise = self._expression()
            condition = Call(offset, "_?_:_", [condition, then, otherwise])
        self._depth -= 1
        return condition

    def _or(self) -> Node:
        terms, offsets = [self._and()], []
        while self._next.kind == "||":
            offsets.append(self._take().offset)
            terms.append(self._and())
        return _balanced("_||_", terms, offsets)

    def _and(self) -> Node:
        terms, offsets = [self._relation()], []
        while self._next.kind == "&&":
            offsets.append(self._take().offset)
            terms.append(self._relation())
        return _balanced("_&&_", terms, offsets)

    def _relation(self) -> Node:
        left = self._sum()
        while self._next.kind in _RELATIONS:
            operator = self._take()
            left = Call(operator.offset, _RELATIONS[operator.kind], [left, self._sum()])
        return left

    def _sum(self) -> Node:
        left = self._product()
        while self._next.kind in _SUMS:
            operator = self._take()
            left = Call(operator.offset, _SUMS[operator.kind], [left, self._product()])
        return left

    def _product(self) -> Node:
        left = self._unary()
        while self._next.kind in _PRODUCTS:
            operator = self._take()
            left = Call(operator.offset, _PRODUCTS[operator.kind], [left, self._unary()])
        return left

    def _unary(self) -> Node:
        first = self._next
        if first.kind not in ("!", "-"):
            return self._member()
        if first.kind == "-" and self._peek(1).kind in ("int", "double") and self._peek(2).kind != ".":
            return self._negative_number()
        count = 0
        while self._next.kind == first.kind:
            self._take()
            count += 1
        if first.kind == "-" and self._next.kind in ("int", "double") and count > 1:
            # The last minus belongs to the number.
            self._index -= 1
            count -= 1
            operand = self._unary()
        else:
            operand = self._member()
        if count % 2 == 0:
            return operand
        return Call(first.offset, "!_" if first.kind == "!" else "-_", [operand])

    def _negative_number(self) -> Node:
        offset = self._take().offset
        number = self._take()
        value = -number.value
        if number.kind == "int" and value < lexer.INT_MIN:
            raise self._wrong(number, "invalid int literal")
        return self._postfix(Literal(offset, value))

    # Members.

    def _member(self) -> Node:
        return self._postfix(self._primary())

    def _postfix(self, operand: Node) -> Node:
        while True:
            if self._next.kind == ".":
                operand = self._dot(operand)
            elif self._next.kind == "[":
                offset = self._take().offset
                is_optional = self._taken("?")
                index = self._expression()
                self._expect("]")
                operand = Call(offset, "_[?_]" if is_optional else "_[_]", [operand, index])
            elif self._next.kind == "{" and (name := _dotted(operand)):
                operand = Message(self._next.offset, name, self._fields())
            else:
                return operand

    def _dot(self, operand: Node) -> Node:
        offset = self._take().offset
        is_optional = self._taken("?")
        field = self._name()
        if self._next.kind == "(" and not is_optional:
            bracket = self._take().offset
            args = self._arguments(")")
            return self._call(bracket, field.text, args, operand)
        return Select(offset, operand, field.text, is_optional=is_optional)

    def _primary(self) -> Node:
        token = self._take()
        kind = token.kind
        if kind == "int" and token.value > lexer.INT_MAX:
            raise self._wrong(token, "invalid int literal")
        if kind in ("int", "uint", "double", "string", "bytes"):
            return Literal(token.offset, token.value)
        if kind in ("true", "false", "null"):
            return Literal(token.offset, {"true": True, "false": False, "null": None}[kind])
        if kind == "(":
            inner = self._expression()
            self._expect(")")
            return inner
        if kind == "[":
            return self._list(token.offset)
        if kind == "{":
            self._index -= 1
            return MapOf(token.offset, self._map_entries())
        if kind == "." and self._next.kind == "ident":
            name = self._take()
            return self._named(Token("ident", "." + name.text, name.offset))
        if kind == "ident":
            return self._named(token)
        raise self._wrong(token, f"Syntax error: mismatched input '{token.text}' expecting {_STARTS}")

    def _named(self, token: Token) -> Node:
        if self._next.kind == "(":
            bracket = self._take().offset
            args = self._arguments(")")
            return self._call(bracket, token.text.removeprefix("."), args, None)
        if token.text in escaping.WORDS:
            raise self._wrong(token, f"reserved identifier: {token.text}")
        return Ident(token.offset, token.text.removeprefix("."))

    def _call(self, offset: int, function: str, args: list[Node], target: Node | None) -> Node:
        expanded = macros.expand(offset, function, args, target, self._issues)
        return Call(offset, function, args, target) if expanded is None else expanded

    # Literals of several parts.

    def _list(self, offset: int) -> Node:
        elements: list[Node] = []
        optional: set[int] = set()
        while self._next.kind != "]":
            if self._taken("?"):
                optional.add(len(elements))
            elements.append(self._expression())
            if not self._taken(","):
                break
        self._expect("]")
        return ListOf(offset, elements, frozenset(optional))

    def _map_entries(self) -> list[Entry]:
        self._expect("{")
        entries: list[Entry] = []
        while self._next.kind != "}":
            is_optional = self._taken("?")
            key = self._expression()
            colon = self._expect(":")
            entries.append(Entry(colon.offset, key, "", self._expression(), is_optional=is_optional))
            if not self._taken(","):
                break
        self._expect("}")
        return entries

    def _fields(self) -> list[Entry]:
        self._expect("{")
        entries: list[Entry] = []
        while self._next.kind != "}":
            is_optional = self._taken("?")
            field = self._name()
            colon = self._expect(":")
            entries.append(Entry(colon.offset, None, field.text, self._expression(), is_optional=is_optional))
            if not self._taken(","):
                break
        self._expect("}")
        return entries

    def _arguments(self, end: str) -> list[Node]:
        args: list[Node] = []
        while self._next.kind != end:
            args.append(self._expression())
            if not self._taken(","):
                break
        self._expect(end)
        return args

    # Tokens.

    @property
    def _next(self) -> Token:
        return self._tokens[self._index]

    def _peek(self, ahead: int) -> Token:
        return self._tokens[min(self._index + ahead, len(self._tokens) - 1)]

    def _take(self) -> Token:
        token = self._tokens[self._index]
        if token.kind != "end":
            self._index += 1
        return token

    def _taken(self, kind: str) -> bool:
        if self._next.kind != kind:
            return False
        self._index += 1
        return True

    def _name(self) -> Token:
        """A field's: `in` and the other words of the language are none."""
        token = self._take()
        if token.kind != "ident":
            raise self._wrong(
                token, f"Syntax error: no viable alternative at input '.{token.text.replace('<EOF>', '')}'"
            )
        return token

    def _expect(self, kind: str) -> Token:
        token = self._next
        if token.kind != kind:
            if token.kind == "end" and kind in _CLOSING:
                raise self._wrong(token, f"Syntax error: missing '{kind}' at '<EOF>'")
            raise self._wrong(token, f"Syntax error: mismatched input '{token.text}' expecting '{kind}'")
        self._index += 1
        return token

    def _wrong(self, token: Token, message: str) -> CompileError:
        return CompileError(self._text, [*self._issues, Issue(token.offset, message)])


def _balanced(function: str, terms: list[Node], offsets: list[int]) -> Node:
    """`a && b && c && d` as a tree of little depth, as cel-go makes it: its costs are those of its shape."""
    if not offsets:
        return terms[0]

    def made(low: int, high: int) -> Node:
        middle = (low + high + 1) // 2
        left = terms[middle] if middle == low else made(low, middle - 1)
        right = terms[middle + 1] if middle == high else made(middle + 1, high)
        return Call(offsets[middle], function, [left, right])

    return made(0, len(offsets) - 1)


def _dotted(node: Node) -> str:
    """`a.b.c` as a name; "" for anything else."""
    parts: list[str] = []
    seen: Any = node
    while isinstance(seen, Select) and not (seen.is_test or seen.is_optional):
        parts.append(seen.field)
        seen = seen.operand
    if not isinstance(seen, Ident):
        return ""
    return ".".join([seen.name, *reversed(parts)])
