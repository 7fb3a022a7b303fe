"""Tokens to trees: one for the template itself, one for each `define` and `block` in it."""

import re
from collections.abc import Collection

from steersman.kubectl.printers import go_values
from steersman.kubectl.printers.go_template import lexer, nodes
from steersman.kubectl.printers.go_template.lexer import Token, Type

_INT64_MIN, _UINT64_MAX = -(2**63), 2**64 - 1
_OPERANDS = frozenset((
    Type.BOOL, Type.CHAR_CONSTANT, Type.COMPLEX, Type.DOT, Type.FIELD, Type.IDENTIFIER, Type.NUMBER, Type.NIL,
    Type.RAW_STRING, Type.STRING, Type.VARIABLE, Type.LEFT_PAREN,
))  # fmt: skip
_INTEGER = re.compile(r"([+-]?)(0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]+|[1-9][0-9_]*|0)")
_HEX_FLOAT = re.compile(r"[+-]?0[xX].*[pP]")

Trees = dict[str, nodes.Listing]


class ParseError(Exception):
    """The whole sentence, with the template's name and the line."""


def parse(name: str, text: str, functions: Collection[str]) -> Trees:
    """The trees by name. Raises ParseError."""
    trees: Trees = {}
    source = _Source(name, text)
    tree = _Tree(source, functions, trees)
    tree.add(name, tree.whole())
    return trees


class _Source:
    """Tokens, and those that were put back."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._tokens = lexer.tokens(text)
        self._back: list[Token] = []
        self._last = Token(Type.EOF, 0, "", 1)

    def next(self) -> Token:
        if self._back:
            return self._back.pop()
        self._last = next(self._tokens, self._last)
        return self._last

    def back(self, *tokens: Token) -> None:
        self._back.extend(reversed(tokens))

    def peek(self) -> Token:
        token = self.next()
        self.back(token)
        return token

    def next_word(self) -> Token:
        """The next that is no space."""
        while (token := self.next()).type is Type.SPACE:
            pass
        return token

    def peek_word(self) -> Token:
        token = self.next_word()
        self.back(token)
        return token

    def wrong(self, why: object) -> ParseError:
        return ParseError(f"template: {self.name}:{self._last.line}: {why}")

    def unexpected(self, token: Token, context: str) -> ParseError:
        if token.type is Type.ERROR:
            return self.wrong(token)
        return self.wrong(f"unexpected {token} in {context}")


class _Tree:
    """One template being parsed: its variables, and how many ranges it is in."""

    def __init__(self, source: _Source, functions: Collection[str], trees: Trees) -> None:
        self._source = source
        self._functions = functions
        self._trees = trees
        self._variables = ["$"]
        self._ranges = 0

    def whole(self) -> nodes.Listing:
        root = nodes.Listing(self._source.peek().position)
        while self._source.peek().type is not Type.EOF:
            if self._source.peek().type is Type.LEFT_DELIM:
                delimiter = self._source.next()
                word = self._source.next_word()
                if word.is_keyword("define"):
                    self._definition()
                    continue
                self._source.back(delimiter, word)
            node = self._text_or_action()
            if isinstance(node, nodes.Mark):
                raise self._source.wrong(f"unexpected {node}")
            root.nodes.append(node)
        return root

    def add(self, name: str, tree: nodes.Listing) -> None:
        known = self._trees.get(name)
        if known is None or known.is_blank():
            self._trees[name] = tree
        elif not tree.is_blank():
            raise self._source.wrong(f"template: multiple definition of template {go_values.quote(name)}")

    def _definition(self) -> None:
        context = "define clause"
        name = self._name(self._source.next_word(), context)
        self._expect_end(context)
        tree = _Tree(self._source, self._functions, self._trees)
        body, end = tree.items()
        if end.word != "end":
            raise self._source.wrong(f"unexpected {end} in {context}")
        self.add(name, body)

    def items(self) -> tuple[nodes.Listing, nodes.Mark]:
        """Everything up to `end` or `else`."""
        listing = nodes.Listing(self._source.peek_word().position)
        while self._source.peek_word().type is not Type.EOF:
            node = self._text_or_action()
            if isinstance(node, nodes.Mark):
                return listing, node
            listing.nodes.append(node)
        raise self._source.wrong("unexpected EOF")

    def _text_or_action(self) -> nodes.Node:
        token = self._source.next_word()
        if token.type is Type.TEXT:
            return nodes.Text(token.position, token.text)
        if token.type is not Type.LEFT_DELIM:
            raise self._source.unexpected(token, "input")
        known = len(self._variables)
        node = self._action()
        if isinstance(node, nodes.Branch):
            del self._variables[known:]
        return node

    def _action(self) -> nodes.Node:
        token = self._source.next_word()
        if token.type is Type.KEYWORD and token.text != "define":
            match token.text:
                case "if" | "with" | "range":
                    return self._branch(token.text)
                case "else":
                    return self._else()
                case "end":
                    return nodes.Mark(self._expect_end("end").position, "end")
                case "break" | "continue":
                    return self._jump(token)
                case "block":
                    return self._block()
            return self._template()
        self._source.back(token)
        token = self._source.peek()
        return nodes.Action(token.position, self._pipeline("command", Type.RIGHT_DELIM))

    def _jump(self, token: Token) -> nodes.Node:
        following = self._source.next_word()
        if following.type is not Type.RIGHT_DELIM:
            raise self._source.unexpected(following, f"{{{{{token.text}}}}}")
        if not self._ranges:
            raise self._source.wrong(f"{{{{{token.text}}}}} outside {{{{range}}}}")
        return nodes.Jump(token.position, token.text)

    def _else(self) -> nodes.Mark:
        following = self._source.peek_word()
        if following.is_keyword("if") or following.is_keyword("with"):
            return nodes.Mark(following.position, "else")  # the word is left for _branch
        return nodes.Mark(self._expect_end("else").position, "else")

    def _branch(self, word: str) -> nodes.Branch:
        known = len(self._variables)
        pipe = self._pipeline(word, Type.RIGHT_DELIM)
        self._ranges += word == "range"
        body, mark = self.items()
        self._ranges -= word == "range"
        otherwise: nodes.Listing | None = None
        if mark.word == "else":
            following = self._source.peek_word()
            if word != "range" and following.is_keyword(word):
                # `else if`: an `if` inside the `else` that shares its `end`.
                self._source.next_word()
                otherwise = nodes.Listing(mark.position, [self._branch(word)])
            else:
                otherwise, mark = self.items()
                if mark.word != "end":
                    raise self._source.wrong(f"expected end; found {mark}")
        del self._variables[known:]
        return nodes.Branch(pipe.position, word, pipe, body, otherwise)

    def _block(self) -> nodes.Call:
        context = "block clause"
        token = self._source.next_word()
        name = self._name(token, context)
        pipe = self._pipeline(context, Type.RIGHT_DELIM)
        tree = _Tree(self._source, self._functions, self._trees)
        body, end = tree.items()
        if end.word != "end":
            raise self._source.wrong(f"unexpected {end} in {context}")
        self.add(name, body)
        return nodes.Call(token.position, name, go_values.quote(name), pipe)

    def _template(self) -> nodes.Call:
        context = "template clause"
        token = self._source.next_word()
        name = self._name(token, context)
        pipe: nodes.Pipe | None = None
        following = self._source.next_word()
        if following.type is not Type.RIGHT_DELIM:
            self._source.back(following)
            pipe = self._pipeline(context, Type.RIGHT_DELIM)
        return nodes.Call(token.position, name, go_values.quote(name), pipe)

    def _name(self, token: Token, context: str) -> str:
        if token.type not in (Type.STRING, Type.RAW_STRING):
            raise self._source.unexpected(token, context)
        return self._unquoted(token)

    def _unquoted(self, token: Token) -> str:
        try:
            return go_values.unquote(token.text)
        except go_values.Malformed as wrong:
            raise self._source.wrong(wrong) from None

    def _expect_end(self, context: str) -> Token:
        token = self._source.next_word()
        if token.type is not Type.RIGHT_DELIM:
            raise self._source.unexpected(token, context)
        return token

    def _pipeline(self, context: str, end: Type) -> nodes.Pipe:
        pipe = nodes.Pipe(self._source.peek_word().position)
        while self._declares(pipe, context):
            pass
        while True:
            token = self._source.next_word()
            if token.type is end:
                self._check(pipe, context)
                return pipe
            if token.type not in _OPERANDS:
                raise self._source.unexpected(token, context)
            self._source.back(token)
            pipe.commands.append(self._command())

    def _declares(self, pipe: nodes.Pipe, context: str) -> bool:
        """Take one declared variable; whether another one follows it."""
        variable = self._source.peek_word()
        if variable.type is not Type.VARIABLE:
            return False
        variable = self._source.next_word()
        after = self._source.peek()
        following = self._source.next_word()
        if following.type in (Type.ASSIGN, Type.DECLARE):
            pipe.is_assignment = following.type is Type.ASSIGN
            self._declare(pipe, variable)
            return False
        if following.type is Type.CHAR and following.text == ",":
            self._declare(pipe, variable)
            if context != "range" or len(pipe.declared) > 1:
                raise self._source.wrong(f"too many declarations in {context}")
            if self._source.peek_word().type not in (Type.VARIABLE, Type.RIGHT_DELIM, Type.RIGHT_PAREN):
                raise self._source.wrong("range can only initialize variables")
            return True
        if after.type is Type.SPACE:
            self._source.back(variable, after, following)
        else:
            self._source.back(variable, following)
        return False

    def _declare(self, pipe: nodes.Pipe, variable: Token) -> None:
        pipe.declared.append(nodes.Variable(variable.position, [variable.text]))
        self._variables.append(variable.text)

    def _check(self, pipe: nodes.Pipe, context: str) -> None:
        if not pipe.commands:
            raise self._source.wrong(f"missing value for {context}")
        for stage, command in enumerate(pipe.commands[1:], 2):
            if isinstance(command.arguments[0], nodes.Constant | nodes.Dot | nodes.Nil):
                raise self._source.wrong(f"non executable command in pipeline stage {stage}")

    def _command(self) -> nodes.Command:
        command = nodes.Command(self._source.peek_word().position)
        while True:
            self._source.back(self._source.next_word())
            operand = self._operand()
            if operand is not None:
                command.arguments.append(operand)
            token = self._source.next()
            if token.type is Type.SPACE:
                continue
            if token.type in (Type.RIGHT_DELIM, Type.RIGHT_PAREN):
                self._source.back(token)
            elif token.type is not Type.PIPE:
                raise self._source.unexpected(token, "operand")
            break
        if not command.arguments:
            raise self._source.wrong("empty command")
        return command

    def _operand(self) -> nodes.Node | None:
        node = self._term()
        if node is None or self._source.peek().type is not Type.FIELD:
            return node
        position = self._source.peek().position
        names: list[str] = []
        while self._source.peek().type is Type.FIELD:
            names.append(self._source.next().text[1:])
        match node:
            case nodes.Field():
                return nodes.Field(position, [*node.names, *names])
            case nodes.Variable():
                return nodes.Variable(position, [*node.names, *names])
            case nodes.Constant() | nodes.Nil() | nodes.Dot():
                raise self._source.wrong(f"unexpected . after term {go_values.quote(str(node))}")
        return nodes.Chain(position, node, names)

    def _term(self) -> nodes.Node | None:
        token = self._source.next_word()
        position, text = token.position, token.text
        match token.type:
            case Type.IDENTIFIER:
                if text not in self._functions:
                    raise self._source.wrong(f"function {go_values.quote(text)} not defined")
                return nodes.Identifier(position, text)
            case Type.DOT:
                return nodes.Dot(position)
            case Type.NIL:
                return nodes.Nil(position)
            case Type.VARIABLE:
                if text not in self._variables:
                    raise self._source.wrong(f"undefined variable {go_values.quote(text)}")
                return nodes.Variable(position, [text])
            case Type.FIELD:
                return nodes.Field(position, [text[1:]])
            case Type.BOOL:
                return nodes.Constant(position, text == "true", text)
            case Type.CHAR_CONSTANT | Type.COMPLEX | Type.NUMBER:
                return nodes.Constant(position, self._number(token), text)
            case Type.LEFT_PAREN:
                return self._pipeline("parenthesized pipeline", Type.RIGHT_PAREN)
            case Type.STRING | Type.RAW_STRING:
                return nodes.Constant(position, self._unquoted(token), text)
        self._source.back(token)
        return None

    def _number(self, token: Token) -> object:
        text = token.text
        if token.type is Type.CHAR_CONSTANT:
            return self._rune(text)
        try:
            if text.endswith("i"):
                return complex(text.replace("i", "j").replace("_", ""))
            if found := _INTEGER.fullmatch(text):
                return self._integer(text, found)
            value = float.fromhex(text) if _HEX_FLOAT.match(text) else float(text)
        except ValueError:
            raise self._source.wrong(f"bad number syntax: {go_values.quote(text)}") from None
        return value

    def _integer(self, text: str, found: re.Match[str]) -> int:
        digits = found[2]
        octal = len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567_"
        value = int(found[1] + digits, 8) if octal else int(found[1] + digits, 0)
        if not _INT64_MIN <= value <= _UINT64_MAX:
            raise self._source.wrong(f"integer overflow: {go_values.quote(text)}")
        return go_values.Int(value)

    def _rune(self, text: str) -> int:
        try:
            char, rest = go_values.unescape_one(text[1:], "'")
        except go_values.Malformed as wrong:
            raise self._source.wrong(wrong) from None
        if rest != "'":
            raise self._source.wrong(f"malformed character constant: {text}")
        return go_values.Int(ord(char))
