"""Label selectors (text and object form) and field selectors: parse, match, format.

A `Selector` is compiled once and asked often. Source of grammar and messages: apimachinery's pkg/labels and pkg/fields.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from steersman.meta import names
from steersman.meta.objects import Object

Operator = Literal["in", "notin", "=", "==", "!=", "exists", "!", "gt", "lt"]


class SelectorError(ValueError):
    """The text or object is no selector; the message is upstream's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one key. `values` are sorted; `=`, `==`, `!=`, `gt`, `lt` have one."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "in" | "=" | "==":
                return value is not None and value in self.values
            case "notin" | "!=":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
            case "gt":
                return value is not None and _is_integer(value) and int(value) > int(self.values[0])
            case "lt":
                return value is not None and _is_integer(value) and int(value) < int(self.values[0])

    def __str__(self) -> str:
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(self.values)})"
            case "gt":
                return f"{self.key}>{self.values[0]}"
            case "lt":
                return f"{self.key}<{self.values[0]}"
            case _:
                return f"{self.key}{self.operator}{self.values[0]}"


@dataclasses.dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold. `nothing` matches no labels at all (an absent selector object)."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        if self.nothing:
            return False
        return all(requirement.matches(labels) for requirement in self.requirements)

    @property
    def is_everything(self) -> bool:
        return not self.requirements and not self.nothing

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)


def matches(selector: Selector, labels: Mapping[str, str] | None) -> bool:
    return selector.matches(labels or {})


def format(selector: Selector) -> str:  # noqa: A001 — the module is used qualified
    """Text that parses to the same selector."""
    return str(selector)


def from_map(labels: Mapping[str, str] | None) -> Selector:
    """`spec.selector` of a Service, `nodeSelector`: all pairs must be there. No pairs: everything."""
    return Selector(tuple(Requirement(key, "=", (value,)) for key, value in sorted((labels or {}).items())))


def from_object(selector: Object | None) -> Selector:
    """A LabelSelector: absent selects nothing, empty everything. Raises SelectorError."""
    if selector is None:
        return NOTHING
    found = list(from_map(selector.get("matchLabels")).requirements)
    for expression in selector.get("matchExpressions") or ():
        found.append(_expression(expression))
    return Selector(tuple(sorted(found, key=lambda requirement: requirement.key)))


def object_matches(selector: Object | None, labels: Mapping[str, str] | None) -> bool:
    """Whether a LabelSelector object selects these labels. For many objects, compile once with `from_object`."""
    return from_object(selector).matches(labels or {})


_OBJECT_OPERATORS: dict[str, Operator] = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


def _expression(expression: Object) -> Requirement:
    wanted = expression.get("operator", "")
    operator = _OBJECT_OPERATORS.get(wanted)
    if operator is None:
        raise SelectorError(f'"{wanted}" is not a valid label selector operator')
    values = tuple(sorted(set(expression.get("values") or ())))
    return _checked(Requirement(expression.get("key", ""), operator, values))


# Text form: a small recursive-descent parser over the tokens of upstream's lexer.

_TOKEN = re.compile(r"\s*(?:(==|!=|=|!|,|\(|\)|>|<)|([^\s=!,()><]+))")


def parse(text: str) -> Selector:
    """`app=web,tier in (a,b),!old,env`. Raises SelectorError with upstream's message."""
    if not text or text.isspace():
        return EVERYTHING
    parser = _Parser(text)
    found = parser.requirements()
    return Selector(tuple(sorted(found, key=lambda requirement: requirement.key)))


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    def requirements(self) -> list[Requirement]:
        found = []
        while True:
            found.append(_checked(self._requirement()))
            token = self._next()
            if token == "":
                return found
            if token != ",":
                raise _unparsable(f"found '{token}', expected: ',' or 'end of string'")
            if self._peek() == "":
                raise _unparsable("found '', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        token = self._next()
        if token == "!":
            return Requirement(self._identifier(self._next()), "!")
        key = self._identifier(token)
        if self._peek() in ("", ","):
            return Requirement(key, "exists")
        return self._comparison(key, self._next())

    def _comparison(self, key: str, operator: str) -> Requirement:
        match operator:
            case "in" | "notin":
                return Requirement(key, operator, self._values())
            case "=" | "==" | "!=":
                return Requirement(key, operator, (self._exact_value(),))
            case ">":
                return Requirement(key, "gt", (self._exact_value(),))
            case "<":
                return Requirement(key, "lt", (self._exact_value(),))
            case _:
                raise _unparsable(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")

    def _values(self) -> tuple[str, ...]:
        if (token := self._next()) != "(":
            raise _unparsable(f"found '{token}' expected: '('")
        found = set()
        while True:
            token = self._peek()
            if token in (",", ")"):
                found.add("")
            else:
                found.add(self._identifier(self._next()))
            token = self._next()
            if token == ")":
                return tuple(sorted(found))
            if token != ",":
                raise _unparsable(f"found '{token}', expected: ',' or ')'")
            if self._peek() == ")":
                found.add("")
                self._next()
                return tuple(sorted(found))

    def _exact_value(self) -> str:
        if self._peek() in ("", ","):
            return ""
        return self._identifier(self._next())

    def _identifier(self, token: str) -> str:
        if token == "" or token in _SYMBOLS:
            raise _unparsable(f"found '{token}', expected: identifier")
        return token

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token


_SYMBOLS = frozenset(("==", "!=", "=", "!", ",", "(", ")", ">", "<"))


def _tokens(text: str) -> list[str]:
    """Every character is white space, part of a symbol or of a word, so nothing is left over."""
    return [symbol or word for symbol, word in _TOKEN.findall(text)]


def _unparsable(why: str) -> SelectorError:
    return SelectorError(f"unable to parse requirement: {why}")


def _checked(requirement: Requirement) -> Requirement:
    for error in names.qualified_name_errors(requirement.key):
        raise SelectorError(f'key: Invalid value: "{requirement.key}": {error}')
    operator, values = requirement.operator, requirement.values
    if operator in ("in", "notin") and not values:
        raise SelectorError("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty")
    if operator in ("exists", "!") and values:
        raise SelectorError(
            f"values: Invalid value: {_list_text(values)}: values set must be empty for exists and does not exist"
        )
    if operator in ("gt", "lt") and not _is_integer(values[0]):
        raise SelectorError(
            f"values[0]: Invalid value: \"{values[0]}\": for 'Gt', 'Lt' operators, the value must be an integer"
        )
    for index, value in enumerate(values):
        for error in names.label_value_errors(value):
            raise SelectorError(f'values[{index}][{requirement.key}]: Invalid value: "{value}": {error}')
    return requirement


def _list_text(values: Sequence[str]) -> str:
    return "[" + ",".join(f'"{value}"' for value in values) + "]"


def _is_integer(text: str) -> bool:
    digits = text[1:] if text[:1] in ("+", "-") else text
    return digits.isascii() and digits.isdigit()


# Field selectors: `key=value`, `key==value`, `key!=value`, joined by commas; `\` escapes `,` `=` `\`.


@dataclasses.dataclass(frozen=True, slots=True)
class FieldRequirement:
    field: str
    equal: bool
    value: str

    def __str__(self) -> str:
        escaped = re.sub(r"([\\,=])", r"\\\1", self.value)
        return f"{self.field}{'=' if self.equal else '!='}{escaped}"


@dataclasses.dataclass(frozen=True, slots=True)
class FieldSelector:
    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        """`fields` holds the selectable fields of one object; a missing one counts as empty."""
        return all((fields.get(one.field, "") == one.value) == one.equal for one in self.requirements)

    @property
    def is_everything(self) -> bool:
        return not self.requirements

    def exact(self, field: str) -> str | None:
        """The value that `field` must have, if the selector says so: lets a reader go straight to one object."""
        return next((one.value for one in self.requirements if one.equal and one.field == field), None)

    def __str__(self) -> str:
        return ",".join(str(one) for one in self.requirements)


_FIELD_TERMS = re.compile(r"(?:[^\\,]|\\.)+")
_FIELD_TERM = re.compile(r"(.*?)(!=|==|=)(.*)", re.DOTALL).fullmatch
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse_fields(text: str) -> FieldSelector:
    """Raises SelectorError with upstream's message."""
    found = []
    for term in _FIELD_TERMS.findall(text):
        split = _FIELD_TERM(term)
        if split is None:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{term}'")
        field, operator, value = split.groups()
        found.append(FieldRequirement(field, operator != "!=", _unescaped(value)))
    return FieldSelector(tuple(found))


def _unescaped(value: str) -> str:
    for escape in _ESCAPED.findall(value):
        if escape not in "\\,=":
            raise SelectorError(f"invalid field selector: invalid escape sequence: \\{escape}")
    bare = _ESCAPED.sub("", value)
    if "=" in bare or "," in bare or "\\" in bare:
        raise SelectorError(f"invalid field selector: unescaped character in value: {value}")
    return _ESCAPED.sub(r"\1", value)


def as_go(selector: Object | None) -> str:
    """A LabelSelector as upstream's messages show it: the way Go prints one."""
    if selector is None:
        return "nil"
    labels = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{one.get('key', '')},Operator:{one.get('operator', '')},"
        f"Values:[{' '.join(one.get('values') or ())}],}},"
        for one in selector.get("matchExpressions") or ()
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
