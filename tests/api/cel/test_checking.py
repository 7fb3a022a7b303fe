"""Expressions that are refused, in upstream's words and layout."""
# ruff: noqa: E501 — tables of texts that are looked for as they are

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api.cel import types
from steersman.api.cel.environment import Environment
from steersman.api.cel.source import CompileError
from steersman.api.cel.types import BOOL, DYN, INT, STRING, Type

FIELDS: dict[str, tuple[Type, str]] = {
    "x": (INT, "x"),
    "name": (STRING, "name"),
    "tags": (types.list_of(STRING), "tags"),
    "labels": (types.map_of(STRING, STRING), "labels"),
    "any": (DYN, "any"),
    "when": (types.TIMESTAMP, "when"),
}
SELF = types.struct("self", FIELDS.get)
ENVIRONMENT = Environment({"self": SELF, "oldSelf": SELF})

STARTS = (
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
)

WRONG = {
    "self.z == 100": "ERROR: <input>:1:5: undefined field 'z'\n | self.z == 100\n | ....^",
    "x > 1": "ERROR: <input>:1:1: undeclared reference to 'x' (in container '')\n | x > 1\n | ^",
    "self.x + y": "ERROR: <input>:1:10: undeclared reference to 'y' (in container '')\n | self.x + y\n | .........^",
    "self.x + 'a'": (
        "ERROR: <input>:1:8: found no matching overload for '_+_' applied to '(int, string)'\n | self.x + 'a'\n | .......^"
    ),
    "self.x == 'a'": (
        "ERROR: <input>:1:8: found no matching overload for '_==_' applied to '(int, string)'\n | self.x == 'a'\n | .......^"
    ),
    "self.x.startsWith('a')": (
        "ERROR: <input>:1:18: found no matching overload for 'startsWith' applied to 'int.(string)'\n"
        " | self.x.startsWith('a')\n | .................^"
    ),
    "self.name.nope()": (
        "ERROR: <input>:1:15: undeclared reference to 'nope' (in container '')\n | self.name.nope()\n | ..............^"
    ),
    "self.x.y": "ERROR: <input>:1:7: type 'int' does not support field selection\n | self.x.y\n | ......^",
    "self.x.all(y, true)": (
        "ERROR: <input>:1:5: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)\n"
        " | self.x.all(y, true)\n | ....^"
    ),
    "[1, 'a']": "ERROR: <input>:1:5: expected type 'int' but found 'string'\n | [1, 'a']\n | ....^",
    "self.name.matches('(')": (
        "ERROR: <input>:1:19: invalid matches argument\n | self.name.matches('(')\n | ..................^"
    ),
    "duration('x')": "ERROR: <input>:1:10: invalid duration argument\n | duration('x')\n | .........^",
    "timestamp('x')": "ERROR: <input>:1:11: invalid timestamp argument\n | timestamp('x')\n | ..........^",
    "has(self)": "ERROR: <input>:1:5: invalid argument to has() macro\n | has(self)\n | ....^",
    "self.tags.all(1, true)": (
        "ERROR: <input>:1:15: argument must be a simple name\n | self.tags.all(1, true)\n | ..............^"
    ),
    "self.x >": f"ERROR: <input>:1:9: Syntax error: mismatched input '<EOF>' expecting {STARTS}\n | self.x >\n | ........^",
    "self.x 1": "ERROR: <input>:1:8: Syntax error: extraneous input '1' expecting <EOF>\n | self.x 1\n | .......^",
    "self.x @ 1": (
        "ERROR: <input>:1:8: Syntax error: token recognition error at: '@'\n | self.x @ 1\n | .......^\n"
        "ERROR: <input>:1:10: Syntax error: extraneous input '1' expecting <EOF>\n | self.x @ 1\n | .........^"
    ),
    "self.x 1 2": "ERROR: <input>:1:8: Syntax error: mismatched input '1' expecting <EOF>\n | self.x 1 2\n | .......^",
    "(self.x": "ERROR: <input>:1:8: Syntax error: missing ')' at '<EOF>'\n | (self.x\n | .......^",
    "self.x ? 1": "ERROR: <input>:1:11: Syntax error: mismatched input '<EOF>' expecting ':'\n | self.x ? 1\n | ..........^",
    "self = 42": (
        "ERROR: <input>:1:6: Syntax error: token recognition error at: '= '\n | self = 42\n | .....^\n"
        "ERROR: <input>:1:8: Syntax error: extraneous input '42' expecting <EOF>\n | self = 42\n | .......^"
    ),
    "self.name == 'abc": (
        "ERROR: <input>:1:14: Syntax error: token recognition error at: ''abc'\n | self.name == 'abc\n | .............^\n"
        f"ERROR: <input>:1:18: Syntax error: mismatched input '<EOF>' expecting {STARTS}\n | self.name == 'abc\n"
        " | .................^"
    ),
    "for": "ERROR: <input>:1:1: reserved identifier: for\n | for\n | ^",
    "true &&\n  self.z": "ERROR: <input>:2:7: undefined field 'z'\n |   self.z\n | ......^",
    "9223372036854775808": "ERROR: <input>:1:1: invalid int literal\n | 9223372036854775808\n | ^",
    "self.y + self.z": (
        "ERROR: <input>:1:5: undefined field 'y'\n | self.y + self.z\n | ....^\n"
        "ERROR: <input>:1:14: undefined field 'z'\n | self.y + self.z\n | .............^"
    ),
    "[?1]": "ERROR: <input>:1:3: expected type 'optional_type(int)' but found 'int'\n | [?1]\n | ..^",
    "self.tags[self.name]": (
        "ERROR: <input>:1:10: found no matching overload for '_[_]' applied to '(list(string), string)'\n"
        " | self.tags[self.name]\n | .........^"
    ),
    "self.when == 'x'": (
        "ERROR: <input>:1:11: found no matching overload for '_==_' applied to '(timestamp, string)'\n"
        " | self.when == 'x'\n | ..........^"
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG.items(), ids=WRONG)
def test_refused(text: str, message: str):
    with pytest.raises(CompileError) as refused:
        ENVIRONMENT.compile(text)
    assert str(refused.value) == message


TYPES = {
    "self.x": INT, "self.tags": types.list_of(STRING), "self.tags.map(t, size(t))": types.list_of(INT), "self.any": DYN,
    "self.any.b.c == 1": BOOL, "self.labels.a": STRING, "self.labels.map(k, self.labels[k])": types.list_of(STRING),
    "self.?name": types.optional_of(STRING), "self.?name.orValue('')": STRING, "self.tags[?0]": types.optional_of(STRING),
    "[]": types.list_of(DYN), "[1]": types.list_of(INT), "{'a': 1}": types.map_of(STRING, INT), "self.x > 1 ? self.name : 'z'": STRING,
    "self.any > 1 ? 1 : 2": INT, "dyn(1)": DYN, "self == oldSelf": BOOL, "[self.any, 1]": types.list_of(DYN), "type(1)": types.type_of(INT),
    "self.tags.transformMap(i, v, v)": types.map_of(INT, STRING), "cel.bind(a, self.x, a + 1)": INT, "[] + [1]": types.list_of(INT),
    "optional.none().or(optional.of(1))": types.optional_of(INT), "self.tags.exists(t, t == self.name)": BOOL,
    "[[]].exists(x, x == [1])": BOOL, "self.when - self.when": types.DURATION,
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TYPES.items(), ids=TYPES)
def test_types(text: str, expected: Type):
    assert ENVIRONMENT.compile(text).type == expected


DEEP = {
    "brackets": "(" * 2000 + "1" + ")" * 2000,
    "lists": "[" * 300 + "]" * 300,
    "sum": "+".join(["1"] * 3000),
    "signs": "!" * 5000 + "true == " * 1000 + "true",
    "ternaries": "true ? 1 : " * 1000 + "1",
    "calls": "self.name" + ".trim()" * 3000,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_too_deep(text: str):
    with pytest.raises(CompileError, match="expression recursion limit exceeded: 250"):
        ENVIRONMENT.compile(text)


def test_long_chains_of_conditions_are_not_deep():
    program = ENVIRONMENT.compile(" && ".join(f"self.x != {number}" for number in range(400)))
    assert program.run({"x": -1}, None) is True


def test_variables_a_program_looks_at():
    assert ENVIRONMENT.compile("self.x == oldSelf.x").names() == {"self", "oldSelf"}
    assert "oldSelf" not in ENVIRONMENT.compile("self.x == 1").names()


WORDS = st.sampled_from(
    ["self", ".", "x", "name", "(", ")", "[", "]", "{", "}", "1", "'a'", "+", "==", "&&", "?", ":", ",", "all", "has", "!", "-", "in", "1.5", "u"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=14).map(" ".join) | st.text(max_size=20))
def test_any_text_compiles_or_is_refused(text: str):
    """Nothing else: no other exception, and the message names a place in the text."""
    refusal = "ERROR: <input>:"
    try:
        ENVIRONMENT.compile(text)
    except CompileError as refused:
        refusal = str(refused)
    assert refusal.startswith("ERROR: <input>:")
