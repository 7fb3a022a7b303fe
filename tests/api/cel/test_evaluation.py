"""What expressions yield: a table per part of the language."""
# ruff: noqa: E501 — tables of texts that are looked for as they are

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api.cel import types
from steersman.api.cel.environment import Environment
from steersman.api.cel.values import NONE, CostExceeded, EvalError, KeyedList, Optional, Uint

OBJECT = {"a": {"b": 1, "list": [1, 2, 3]}, "text": "abc", "port": 80, "ratio": 0.5, "null": None, "x-y": 1}
ANY = Environment({"self": types.DYN, "oldSelf": types.DYN})


def value(text: str, self: Any = OBJECT, old: Any = None) -> Any:
    return ANY.compile(text).run(self, old)


LITERALS = {
    "1": 1, "-5": -5, "0x1F": 31, "-0xf": -15, "7u": Uint(7), "0xFFu": Uint(255), "1.5": 1.5, "1e3": 1000.0, ".5": 0.5,
    "true": True, "null": None, "'a\\n'": "a\n", '"\\u00e9\\x41\\101"': "éAA", "r'\\d'": "\\d", "'''a'b'''": "a'b",
    '"""x\ny"""': "x\ny", "b'\\xff'": b"\xff", "b'é'": "é".encode(), "[1, 2,]": [1, 2], "{'a': 1, 'b': 2,}": {"a": 1, "b": 2},
    "9223372036854775807": 2**63 - 1, "-9223372036854775808": -(2**63), "18446744073709551615u": 2**64 - 1,
    "// a comment\n1": 1, "type(1) == int": True, "type(null) == null_type": True,
    "type(timestamp('2026-01-01T00:00:00Z')) == google.protobuf.Timestamp": True,
    "type([]) == list && type({}) == map && type(int) == type": True,
}  # fmt: skip

OPERATORS = {
    "1 + 2 * 3 - 4": 3, "7 / 2": 3, "-7 / 2": -3, "-7 % 3": -1, "7 % -3": 1, "7u / 2u": 3, "1.0 / 0.0": float("inf"),
    "'a' + 'b'": "ab", "[1] + [2]": [1, 2], "b'a' + b'b'": b"ab", "!true": False, "!!true": True, "--1": 1,
    "1 < 2.5 && 2u > 1 && 1.5 <= 2u": True, "'a' < 'b'": True, "false < true": True, "dyn(1) == 1.0": True,
    "dyn(1) == 1u": True, "dyn(1) == true": False, "dyn(1) == '1'": False, "[dyn(1)] == [1.0]": True, "{'a': 1} == {'a': 1}": True,
    "null == dyn(null)": True, "1 in [1, 2]": True, "'a' in {'a': 1}": True, "'z' in {'a': 1}": False,
    "true ? 1 : 2": 1, "false ? 1 : true ? 2 : 3": 2, "{'a': {'b': [1, 2]}}.a.b[1]": 2, "{1: 'x'}[1]": "x",
    "[1, 2, 3][dyn(1.0)]": 2, "self['x-y']": 1, "self.a.list[0]": 1, "size('añb') + size([1]) + 'x'.size()": 5,
    "1/0 == 1 || true": True, "false && 1/0 == 1": False, "1/0 == 1 && false": False, "true || self.nope": True,
    "'a' == self.nope || self.port == 80": True,
}  # fmt: skip

MACROS = {
    "has(self.a.b) && !has(self.a.z)": True, "[1, 2].all(x, x > 0)": True, "[1, 2].exists(x, x > 1)": True,
    "[1, 2, 2].exists_one(x, x == 2)": False, "[1, 2].existsOne(x, x == 2)": True, "[1, 2].map(x, x * 2)": [2, 4],
    "[1, 2, 3].map(x, x > 1, x * 2)": [4, 6], "[1, 2, 3].filter(x, x > 1)": [2, 3], "{'a': 1, 'b': 2}.filter(k, k == 'a')": ["a"],
    "{'a': 1}.all(k, k == 'a')": True, "[1, 2].all(i, v, v == i + 1)": True, "{'a': 1}.exists(k, v, k == 'a' && v == 1)": True,
    "[3, 4].transformList(i, v, i * v)": [0, 4], "[3, 4].transformList(i, v, i > 0, v)": [4],
    "{'a': 1}.transformMap(k, v, v + 1)": {"a": 2}, "{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v)": {"b": 2},
    "{'a': 'x'}.transformMapEntry(k, v, {v: k})": {"x": "a"}, "['a'].transformMapEntry(i, v, {v: i})": {"a": 0},
    "{'a': 1}.existsOne(k, v, v == 1)": True, "cel.bind(x, 2, x * x)": 4,
    "cel.bind(x, 1, [1, 2].map(y, cel.bind(x, y, x + 1)) + [x])": [2, 3, 1],
    "[[1], [2, 3]].map(x, x.map(y, y + 1))": [[2], [3, 4]], "[1, 0].exists(x, 1 / x == 1)": True,
    "[0, 1].exists(x, 1 / x == 1)": True, "[0, 1].all(x, 1 / x == 2)": False,
}  # fmt: skip

OPTIONALS = {
    "optional.of(1).hasValue()": True, "optional.none().orValue(2)": 2, "optional.of(1).or(optional.of(2)).value()": 1,
    "optional.none().or(optional.of(2))": Optional(2), "optional.ofNonZeroValue('')": NONE, "optional.ofNonZeroValue(1)": Optional(1),
    "self.?a.?b": Optional(1), "self.?z.?b": NONE, "self.?a.b.orValue(0)": 1, "self.a.?z.orValue('none')": "none",
    "self.a.list[?9]": NONE, "self.a.list[?0].value()": 1, "{'a': 1}[?'a']": Optional(1), "self.?a[?'b']": Optional(1),
    "optional.of(2).optMap(x, x + 1)": Optional(3), "optional.none().optMap(x, x)": NONE,
    "optional.of(2).optFlatMap(x, optional.of(x + 1))": Optional(3), "[1, ?optional.none(), ?optional.of(2)]": [1, 2],
    "{?'a': optional.of(1), ?'b': optional.none()}": {"a": 1}, "has(self.?a.b)": True, "has(self.?z.b)": False,
    "optional.of(1) == optional.of(1)": True, "optional.none() == optional.of(null)": False,
}  # fmt: skip

STRINGS = {
    "'abc'.contains('b') && 'abc'.startsWith('a') && 'abc'.endsWith('c')": True, "'abc'.charAt(1)": "b", "'abc'.charAt(3)": "",
    "'hello'.indexOf('l')": 2, "'hello'.indexOf('l', 3)": 3, "'hello'.lastIndexOf('l')": 3, "'hello'.lastIndexOf('l', 2)": 2,
    "'hello'.indexOf('')": 0, "['a', 'b'].join('-')": "a-b", "['a', 'b'].join()": "ab", "'a,b,c'.split(',')": ["a", "b", "c"],
    "'a,b,c'.split(',', 2)": ["a", "b,c"], "'a,b'.split(',', 0)": [], "'ab'.split('')": ["a", "b"],
    "'hello'.substring(1)": "ello", "'hello'.substring(1, 3)": "el", "'aaa'.replace('a', 'b', 2)": "bba", "' x '.trim()": "x",
    "'AbÉ'.lowerAscii()": "abÉ", "'ab'.upperAscii()": "AB", "'abc'.reverse()": "cba", "strings.quote('a\"\\n')": '"a\\"\\n"',
    "'abc'.matches('^[a-c]+$')": True, "'ab1c'.find('[0-9]')": "1", "'a1b2'.findAll('[0-9]')": ["1", "2"],
    "'a1b2'.findAll('[0-9]', 1)": ["1"], "matches('a\\n', 'a$')": False,
    "'%s is %d, %.2f %e %b %x %X %o%%'.format([dyn('a'), 3, 1.5, 1500.0, 5, 255, 255, 8])": "a is 3, 1.50 1.500000e+03 101 ff FF 10%",
    "'%s'.format([[1, 2]])": "[1, 2]", "'%s'.format([{'b': 1, 'a': true}])".replace("true", "2"): "{a: 2, b: 1}",
    "'%s'.format([duration('90s')])": "90s", "'%x'.format(['é'])": "c3a9",
}  # fmt: skip

CONVERSIONS = {
    "int('-3')": -3, "int(3.9)": 3, "int(-3.9)": -3, "int(3u)": 3, "int(timestamp('1970-01-01T00:01:00Z'))": 60, "uint('3')": Uint(3),
    "double('1.5')": 1.5, "double(2)": 2.0, "string(1.0)": "1", "string(1234567.0)": "1.234567e+06", "string(0.00001)": "1e-05",
    "string(0.1)": "0.1", "string(true)": "true", "string(b'abc')": "abc", "string(5u)": "5", "bytes('é')": "é".encode(),
    "bool('t')": True, "string(duration('1h30m'))": "5400s", "string(duration('1.5s'))": "1.5s",
    "string(timestamp('2026-01-02T03:04:05.5+01:00'))": "2026-01-02T03:04:05.5+01:00",
    "string(timestamp('2026-01-02T03:04:05-02:30') + duration('1h'))": "2026-01-02T04:04:05-02:30",
    "timestamp('2026-01-02T03:04:05+01:00') == timestamp('2026-01-02T02:04:05Z')": True,
    "timestamp('2026-01-02T03:04:05+01:00').getHours()": 2,
}  # fmt: skip

TIMES = {
    "timestamp('2026-02-03T04:05:06.007Z').getFullYear()": 2026, "timestamp('2026-02-03T04:05:06Z').getMonth()": 1,
    "timestamp('2026-02-03T04:05:06Z').getDate()": 3, "timestamp('2026-02-03T04:05:06Z').getDayOfMonth()": 2,
    "timestamp('2026-02-03T04:05:06Z').getDayOfWeek()": 2, "timestamp('2026-02-03T04:05:06Z').getDayOfYear()": 33,
    "timestamp('2026-02-03T04:05:06Z').getHours('Europe/Paris')": 5, "timestamp('2026-02-03T04:05:06Z').getHours('-05:00')": 23,
    "timestamp('2026-02-03T04:05:06.007Z').getMilliseconds()": 7, "duration('1h30m').getMinutes()": 90,
    "duration('-90s').getMinutes()": -1, "timestamp('2026-01-01T00:00:00Z') + duration('24h') == timestamp('2026-01-02T00:00:00Z')": True,
    "timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z') == duration('24h')": True,
    "timestamp('2026-01-01T00:00:00.000000001Z') > timestamp('2026-01-01T00:00:00Z')": True, "duration('1ms') < duration('1s')": True,
}  # fmt: skip

LIBRARIES = {
    "[1, 2, 3].isSorted() && !['b', 'a'].isSorted()": True, "[1, 2, 3].sum()": 6, "[1.5, 2.0].sum()": 3.5, "[3, 1, 2].min()": 1,
    "['a', 'b'].max()": "b", "[1, 2, 1].indexOf(1)": 0, "[1, 2, 1].lastIndexOf(1)": 2, "[1, 2, 3].slice(1, 3)": [2, 3],
    "[[1, 2], [3]].flatten()": [1, 2, 3], "[1, 2, 1].distinct()": [1, 2], "[3, 1, 2].sort()": [1, 2, 3], "lists.range(3)": [0, 1, 2],
    "[{'n': 2}, {'n': 1}].sortBy(e, e.n)": [{"n": 1}, {"n": 2}], "[duration('1s')].sum() == duration('1s')": True,
    "sets.contains([1, 2], [1]) && sets.equivalent([1, 1], [1]) && sets.intersects([1], [1, 2])": True,
    "math.greatest(1, 2.5)": 2.5, "math.least([3, 1])": 1, "math.ceil(1.2)": 2.0, "math.round(-1.5)": -2.0, "math.abs(-3)": 3,
    "math.sign(-2.0)": -1.0, "math.bitAnd(6, 3)": 2, "math.bitShiftLeft(1, 3)": 8, "math.isNaN(0.0 / 0.0)": True,
    "url('https://user@example.com:80/a%20b?x=1&x=2').getHost()": "example.com:80", "url('https://[::1]:80/').getHostname()": "::1",
    "url('https://h:80/').getPort()": "80", "url('https://h/a%20b').getEscapedPath()": "/a%20b", "url('/x').getScheme()": "",
    "url('https://h/with space/é?q=a b#anchor').getEscapedPath()": "/with%20space/%C3%A9", "url('/x?k=c#anchor').getQuery()": {"k": ["c"]},
    "dyn([1.0, 2.0]).sum()": 3.0, "dyn([duration('1s'), duration('2s')]).sum() == duration('3s')": True, "dyn([]).sum()": 0,
    "dyn([1.5, 0.5]).min()": 0.5, "url('https://h/?x=1&x=2').getQuery()": {"x": ["1", "2"]}, "isURL('not a url') || isURL('../x')": False,
    "ip('10.0.0.1').family()": 4, "ip('::1').isLoopback()": True, "isIP('1.2.3.256')": False, "isIP('::ffff:1.2.3.4')": False,
    "ip.isCanonical('2001:DB8::1')": False, "ip('224.0.0.5').isLinkLocalMulticast()": True, "string(ip('10.0.0.1'))": "10.0.0.1",
    "cidr('10.0.0.0/8').containsIP('10.1.1.1') && !cidr('10.0.0.0/8').containsIP(ip('11.0.0.1'))": True,
    "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')": True, "cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8')": True,
    "cidr('10.0.0.0/8').prefixLength()": 8, "cidr('10.1.2.3/8').ip() == ip('10.1.2.3')": True, "isCIDR('10.0.0.0/33')": False,
    "quantity('500m').add(quantity('1')).compareTo(quantity('1.5'))": 0, "quantity('1Ki').asInteger()": 1024, "isQuantity('1zz')": False,
    "quantity('50M') == quantity('50000k')": True, "quantity('1').isGreaterThan(quantity('999m'))": True,
    "quantity('1.5').isInteger()": False, "quantity('-1').sign()": -1, "quantity('1').sub(2).asInteger()": -1,
    "quantity('1500m').asApproximateFloat()": 1.5,
    "semver('1.2.3').isLessThan(semver('1.10.0'))": True, "semver('1.0.0-rc.1').compareTo(semver('1.0.0'))": -1, "semver('1.2.3').minor()": 2,
    "isSemver('v1.0')": False, "isSemver('v1.0', true)": True, "semver('v01.1', true).major()": 1,
    "format.dns1123Label().validate('abc')": NONE, "format.named('uuid').hasValue()": True, "format.named('nope')": NONE,
    "format.dns1123Label().validate('A').hasValue()": True, "format.dns1123LabelPrefix().validate('abc-')": NONE,
}  # fmt: skip

TABLES = LITERALS | OPERATORS | MACROS | OPTIONALS | STRINGS | CONVERSIONS | TIMES | LIBRARIES


@pytest.mark.parametrize(("text", "expected"), TABLES.items(), ids=TABLES)
def test_values(text: str, expected: Any):
    found = value(text)
    assert found == expected
    assert found.__class__ is expected.__class__ or isinstance(expected, int)


ERRORS = {
    "1 / 0": "division by zero", "1 % 0": "modulus by zero", "9223372036854775807 + 1": "integer overflow",
    "-9223372036854775808 / -1": "integer overflow", "-(-9223372036854775808)": "integer overflow", "1u - 2u": "unsigned integer overflow",
    "self.nope": "no such key: nope", "self['nope']": "no such key: nope", "{'a': 1}['b']": "no such key: b", "[1][1]": "index out of bounds: 1",
    "[1][-1]": "index out of bounds: -1", "self.text.nope": "no such overload", "self.text + 1": "no such overload",
    "self.port.startsWith('a')": "no such overload", "self.text && true": "no such overload", "!self.text": "no such overload",
    "self.text ? 1 : 2": "no such overload", "self.text.all(x, true)": "no such overload", "self['null'].size()": "no such overload",
    "int('x')": "type conversion error from 'string' to 'int'", "int(1e30)": "integer overflow", "uint(-1)": "unsigned integer overflow",
    "[dyn(1), 2].map(x, x.y)": "no such overload", "'abc'.substring(2, 1)": "invalid substring range. start: 2, end: 1",
    "'abc'.charAt(9)": "index out of range: 9", "[1].filter(x, x > 9).min()": "min called on empty list", "optional.none().value()": "optional.none() dereference",
    "{'a': 1, 'a': 2}": "Failed with repeated key: a", "timestamp('2026-01-01T00:00:00Z').getHours('No/Where')": "unknown time zone No/Where",
    "quantity('x')": "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    "self.text.matches('(' + self.text)": "error parsing regexp: missing ), unterminated subpattern at position 0: `(abc`",
    "self.nope || false": "no such key: nope", "true && self.nope": "no such key: nope", "[1, 2].all(x, self.nope)": "no such key: nope",
    "duration('2562047h') + duration('2562047h')": "duration overflow", "timestamp('9999-12-31T23:59:59Z') + duration('1s')": "timestamp overflow",
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), ERRORS.items(), ids=ERRORS)
def test_errors(text: str, message: str):
    with pytest.raises(EvalError) as failed:
        value(text)
    assert str(failed.value) == message


def test_a_null_field_is_one_that_is_not_there_and_a_null_entry_is_one():
    fields = {"name": (types.STRING, "name"), "map": (types.map_of(types.STRING, types.STRING), "map")}
    environment = Environment({"self": types.struct("s", fields.get)})
    value = {"name": None, "map": {"a": None}}
    assert environment.compile("has(self.name)").run(value) is False
    assert environment.compile("self.?name.hasValue() || optional.of(self).?name.hasValue()").run(value) is False
    assert environment.compile("'a' in self.map && type(self.map.a) == null_type").run(value) is True
    assert environment.compile("self.name.startsWith('a') || self.name == 'x' || true").run(value) is True
    with pytest.raises(EvalError, match="no such key: name"):
        environment.compile("self.name.startsWith('a')").run(value)
    with pytest.raises(EvalError, match="no such overload"):
        environment.compile("self.map.a.startsWith('a')").run(value)


def test_a_list_with_keys_equals_one_in_another_order():
    keyed = KeyedList([{"k": 1, "v": 2}, {"k": 2, "v": 3}], ("k",))
    assert ANY.compile("self == [{'k': 2, 'v': 3}, {'k': 1, 'v': 2}]").run(keyed, None) is True
    assert ANY.compile("self == [{'k': 2, 'v': 3}, {'k': 1, 'v': 4}]").run(keyed, None) is False


def test_a_budget_ends_loops_and_is_not_absorbed():
    items = list(range(200))
    program = ANY.compile("self.all(x, self.all(y, self.all(z, z >= 0))) || true")
    outcome = program.measured(items, None, limit=10_000)
    assert isinstance(outcome.error, CostExceeded)
    assert str(outcome.error) == "operation cancelled: actual cost limit exceeded"
    assert 10_000 < outcome.cost < 10_010


COSTS = {
    "self.port == 80": 3, "self.a.b": 3, "has(self.a.b)": 2, "'abc'.startsWith('a')": 1, "[1, 2].all(x, x > 0)": 1 + 10 + 2 * (3 + 2),
    "self.text.matches('^[a-z]+$')": 2 + 2, "false && self.a.b == 1": 0, "true && self.a.b == 1": 4, "ip('10.0.0.1').family()": 2,
}  # fmt: skip


@pytest.mark.parametrize(("text", "cost"), COSTS.items(), ids=COSTS)
def test_costs(text: str, cost: int):
    assert ANY.compile(text).measured(OBJECT, None).cost == cost


NUMBERS = st.integers(-(2**63), 2**63 - 1)


@given(NUMBERS, NUMBERS.filter(bool))
def test_division_and_remainder_belong_together(one: int, other: int):
    try:
        quotient, rest = DIVISION.run(one, other)
    except EvalError:
        assert (one, other) == (-(2**63), -1)
        return
    assert quotient * other + rest == one
    assert abs(rest) < abs(other)
    assert rest == 0 or (rest < 0) == (one < 0)


DIVISION = Environment({"a": types.INT, "b": types.INT}).compile("[a / b, a % b]")


@given(st.floats(allow_nan=False))
def test_a_double_survives_being_written(number: float):
    assert DOUBLE.run(number) == number


DOUBLE = Environment({"a": types.DOUBLE}).compile("double(string(a))")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


EQUALITY = ANY.compile("[self == self, self == oldSelf, oldSelf == self, self != oldSelf]")


@given(JSON, JSON)
def test_equality_is_an_equivalence(one: Any, other: Any):
    same, forth, back, differs = EQUALITY.run(one, other)
    assert same is True
    assert forth is back
    assert differs is not forth


@given(JSON)
def test_no_value_breaks_an_expression(self: Any):
    """Whatever the data, an expression has a value or an error."""
    for program in PROGRAMS:
        outcome = program.measured(self, None)
        assert outcome.error is None or str(outcome.error)


PROGRAMS = [
    ANY.compile(text)
    for text in (
        "self.a.b == 1 && self.c.startsWith('x')",
        "self.all(x, x > 1) || self.exists(x, x == 'a')",
        "self.map(x, x + x)[0] < self.size()",
        "self.?a.?b.orValue(self[0]) in self",
        "has(self.a) ? self.a.matches('a') : self.filter(x, type(x) == string).join(',') == ''",
        "self.transformMap(k, v, v) == self",
    )
]
