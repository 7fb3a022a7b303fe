"""x-kubernetes-validations: which rules a definition may have, and what they say of objects."""
# ruff: noqa: E501 — tables of texts that are looked for as they are

from typing import Any

import pytest

from steersman.api.custom import expression_paths, expressions, schema_rules, types

SPEC: dict[str, Any] = {
    "x": {"type": "integer"},
    "y": {"type": "integer"},
    "name": {"type": "string", "maxLength": 64},
    "share": {"type": "number"},
    "when": {"type": "string", "format": "date-time"},
    "secret": {"type": "string", "format": "byte"},
    "timeout": {"type": "string", "format": "duration"},
    "port": {"x-kubernetes-int-or-string": True},
    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "maybe": {"type": "string", "nullable": True},
    "a.b-c/d__e": {"type": "integer"},
    "for": {"type": "integer"},
    "set": {"type": "array", "x-kubernetes-list-type": "set", "maxItems": 9, "items": {"type": "string", "maxLength": 9}},
    "plain": {"type": "array", "maxItems": 9, "items": {"type": "integer"}},
    "labels": {"type": "object", "maxProperties": 9, "additionalProperties": {"type": "string", "maxLength": 9}},
    "keyed": {
        "type": "array", "maxItems": 9, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
        "items": {"type": "object", "required": ["k"], "properties": {"k": {"type": "string", "maxLength": 9}, "v": {"type": "integer"}}},
    },
}  # fmt: skip


def spec_with(*rules: Any, **more: Any) -> dict[str, Any]:
    """A whole schema whose spec has these rules; `more` are rules of single fields."""
    properties = {name: dict(schema) for name, schema in SPEC.items()}
    for name, rule in more.items():
        properties[name]["x-kubernetes-validations"] = [_rule(rule)]
    spec: dict[str, Any] = {"type": "object", "properties": properties}
    if rules:
        spec["x-kubernetes-validations"] = [_rule(rule) for rule in rules]
    return {"type": "object", "properties": {"spec": spec}}


def _rule(rule: Any) -> dict[str, Any]:
    return {"rule": rule} if isinstance(rule, str) else rule


def errors(schema: Any, spec: Any, old: Any = None) -> list[str]:
    kind = types.Type("x", schema)
    found = kind.validate({"spec": spec}, None if old is None else {"spec": old})
    return [str(one) for one in found]


FINE: dict[str, tuple[str, Any]] = {
    "sum": ("self.x + self.y > 0", {"x": 1, "y": 0}),
    "number without a fraction is a double": ("self.share / 2.0 == 0.5 && type(self.share) == double", {"share": 1}),
    "time": ("self.when > timestamp('2020-01-01T00:00:00Z')", {"when": "2026-01-01T00:00:00Z"}),
    "bytes": ("self.secret == b'abc'", {"secret": "YWJj"}),
    "duration": ("self.timeout <= duration('1h')", {"timeout": "30m"}),
    "int or string, as int": ("type(self.port) == int ? self.port < 100 : self.port.endsWith('%')", {"port": 80}),
    "int or string, as string": ("type(self.port) == int ? self.port < 100 : self.port.endsWith('%')", {"port": "8%"}),
    "escaped names": ("self.a__dot__b__dash__c__slash__d__underscores__e == 1 && self.__for__ == 2", {"a.b-c/d__e": 1, "for": 2}),
    "order of a set": ("self.set == ['b', 'a']", {"set": ["a", "b"]}),
    "sets unite": ("size(self.set + ['a', 'c']) == 3", {"set": ["a", "b"]}),
    "order of a list with keys": (
        "self.keyed == self.keyed && self.keyed.exists(e, e.k == 'a' && e.v == 1)",
        {"keyed": [{"k": "a", "v": 1}, {"k": "b"}]},
    ),
    "map": ("self.labels.all(k, self.labels[k].startsWith(k))", {"labels": {"a": "ab"}}),
    "absent": ("!has(self.name) || self.name.startsWith('a')", {}),
    "optional": ("self.?name.orValue('a') == 'a'", {}),
    "preserved but not declared": ("!has(self.free) || self.free == self.free", {"free": {"a": 1}}),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "spec"), FINE.values(), ids=FINE)
def test_fine(rule: str, spec: Any):
    schema = spec_with(rule)
    assert schema_rules.validate(schema, "s") == []
    assert errors(schema, spec) == []


SMALL = {"x": 0, "y": 0}

REFUSED: dict[str, tuple[Any, Any, list[str]]] = {
    "default message": ("self.x > 0", SMALL, ['spec: Invalid value: "object": failed rule: self.x > 0']),
    "message": ({"rule": "self.x > 0", "message": " small "}, SMALL, ['spec: Invalid value: "object": small']),
    "message expression": (
        {"rule": "self.x > 0", "message": "m", "messageExpression": "'x is ' + string(self.x)"}, SMALL,
        ['spec: Invalid value: "object": x is 0'],
    ),
    "message expression that fails": (
        {"rule": "self.x > 0", "message": "m", "messageExpression": "string(1 / self.x)"}, SMALL, ['spec: Invalid value: "object": m'],
    ),
    "message of several lines": (
        {"rule": "self.x > 0", "messageExpression": "'a\\nb'"}, SMALL, ['spec: Invalid value: "object": failed rule: self.x > 0'],
    ),
    "required": ({"rule": "self.x > 0", "reason": "FieldValueRequired", "message": "m"}, SMALL, ["spec: Required value: m"]),
    "forbidden": ({"rule": "self.x > 0", "reason": "FieldValueForbidden", "message": "m"}, SMALL, ["spec: Forbidden: m"]),
    "duplicate": ({"rule": "self.x > 0", "reason": "FieldValueDuplicate", "message": "m"}, SMALL, ['spec: Duplicate value: "object"']),
    "field path": ({"rule": "self.x > 0", "fieldPath": ".x", "message": "m"}, SMALL, ['spec.x: Invalid value: "object": m']),
    "field path of a map": (
        {"rule": "self.x > 0", "fieldPath": ".labels['a.b']", "message": "m"}, SMALL, ['spec.labels[a.b]: Invalid value: "object": m'],
    ),
    "error": ("self.name == 'a'", {}, ['spec: Invalid value: "object": no such key: name evaluating rule: self.name == \'a\'']),
    "no overload": (
        "self.port > 1", {"port": "a"},
        [
            "spec: Invalid value: \"object\": 'no such overload': call arguments did not match a supported operator, function or "
            "macro signature for rule: self.port > 1"
        ],
    ),
    "wrong shape": (
        "self.x > 0", {"x": "a"},
        [
            'spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"',
            "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; "
            "correct the existing errors to complete validation",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "spec", "expected"), REFUSED.values(), ids=REFUSED)
def test_refused(rule: Any, spec: Any, expected: list[str]):
    assert errors(spec_with(rule), spec) == expected


def test_places_of_rules():
    schema = spec_with(labels="self.all(k, self[k] == 'x')")
    properties = schema["properties"]["spec"]["properties"]
    properties["labels"]["additionalProperties"]["x-kubernetes-validations"] = [{"rule": "self != 'y'"}]
    properties["keyed"]["items"] = dict(properties["keyed"]["items"])
    properties["keyed"]["items"]["x-kubernetes-validations"] = [{"rule": "self.v < 2"}]
    schema["x-kubernetes-validations"] = [{"rule": "self.metadata.name == 'a' && self.kind == 'K'"}]
    found = types.Type("x", schema).validate(
        {"kind": "L", "metadata": {"name": "a"}, "spec": {"labels": {"a": "y"}, "keyed": [{"k": "a", "v": 2}]}}, None
    )
    assert [str(one) for one in found] == [
        "<nil>: Invalid value: \"object\": failed rule: self.metadata.name == 'a' && self.kind == 'K'",
        "spec.labels: Invalid value: \"object\": failed rule: self.all(k, self[k] == 'x')",
        "spec.labels[a]: Invalid value: \"string\": failed rule: self != 'y'",
        'spec.keyed[0]: Invalid value: "object": failed rule: self.v < 2',
    ]


# Transitions.


def test_a_transition_needs_an_old_value():
    schema = spec_with("self.x >= oldSelf.x")
    assert errors(schema, {"x": 1}) == []
    assert errors(schema, {"x": 2}, {"x": 1}) == []
    assert errors(schema, {"x": 1}, {"x": 2}) == ['spec: Invalid value: "object": failed rule: self.x >= oldSelf.x']


def test_an_optional_old_value_is_asked_always():
    schema = spec_with({"rule": "oldSelf.hasValue() || self.x == 1", "optionalOldSelf": True})
    assert schema_rules.validate(schema, "s") == []
    assert errors(schema, {"x": 1}) == []
    assert len(errors(schema, {"x": 2})) == 1
    assert errors(schema, {"x": 2}, {"x": 1}) == []


def test_items_with_keys_are_the_same_wherever_they_stand():
    schema = spec_with()
    keyed = schema["properties"]["spec"]["properties"]["keyed"]
    keyed["items"] = keyed["items"] | {
        "x-kubernetes-validations": [{"rule": "self.v == oldSelf.v", "message": "fixed"}]
    }
    old = {"keyed": [{"k": "a", "v": 1}, {"k": "b", "v": 2}]}
    assert errors(schema, {"keyed": [{"k": "b", "v": 2}, {"k": "a", "v": 1}, {"k": "c", "v": 9}]}, old) == []
    assert errors(schema, {"keyed": [{"k": "b", "v": 1}]}, old) == ['spec.keyed[0]: Invalid value: "object": fixed']


def test_what_has_not_changed_is_not_asked_again():
    schema = spec_with("self.x > 0", labels="size(self) > 1")
    old = {"x": 0, "labels": {"a": "b"}}
    assert errors(schema, old, old) == []
    assert types.Type("x", schema).warnings({"spec": old}, {"spec": old}) == [
        'spec: Invalid value: "object": failed rule: self.x > 0',
        'spec.labels: Invalid value: "object": failed rule: size(self) > 1',
    ]
    assert types.Type("x", schema).warnings({"spec": old}, None) == []
    assert errors(schema, {"x": 0, "y": 1, "labels": {"a": "b"}}, old) == [
        'spec: Invalid value: "object": failed rule: self.x > 0'
    ]


def test_a_transition_rule_is_asked_also_of_what_has_not_changed():
    schema = spec_with("self.x > oldSelf.x")
    assert len(errors(schema, {"x": 1}, {"x": 1})) == 1


# Budgets.


def test_one_rule_may_cost_so_much():
    schema = spec_with(
        {"rule": "self.plain.all(a, self.plain.all(b, self.plain.all(c, a + b + c > 0)))", "message": "m"}
    )
    assert errors(schema, {"plain": [1] * 9}) == []
    schema["properties"]["spec"]["properties"]["plain"]["maxItems"] = 1000
    assert errors(schema, {"plain": [1] * 200}) == [
        "spec: Invalid value: \"object\": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run "
        "due to call cost exceeds limit for rule: m"
    ]


def test_all_rules_of_an_object_may_cost_so_much():
    schema = spec_with(*["self.plain.all(a, self.plain.all(b, a + b > 0))"] * 3)
    validator = expressions.validator(schema)
    assert validator is not None
    run = expressions.Run(budget=1_000)
    validator.check({"spec": {"plain": [1] * 9}}, expressions.MISSING, run, None, unchanged=False)
    assert [str(one) for one in run.errors] == [
        'spec: Invalid value: "object": validation failed due to running out of cost budget, no further validation rules will be run'
    ]


# Definitions.

AT = "s.properties[spec].x-kubernetes-validations[0]"
SHOWN = '{"Rule":"%s","Message":"","MessageExpression":"%s","Reason":null,"FieldPath":"","OptionalOldSelf":null}'
HINT = "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"

MALFORMED: dict[str, tuple[Any, list[str]]] = {
    "empty": (" ", [f"{AT}.rule: Required value: rule is not specified"]),
    "empty message": ({"rule": "true", "message": " "}, [f'{AT}.message: Invalid value: " ": message must be non-empty if specified']),
    "lines in a message": ({"rule": "true", "message": "a\nb"}, [f'{AT}.message: Invalid value: "a\\nb": message must not contain line breaks']),
    "lines in a rule": ("true\n&& true", [f"{AT}.message: Required value: message must be specified if rule contains line breaks"]),
    "empty message expression": (
        {"rule": "true", "messageExpression": " "}, [f"{AT}.messageExpression: Required value: messageExpression must be non-empty if specified"],
    ),
    "reason": (
        {"rule": "true", "reason": "Why"},
        [
            f'{AT}.reason: Unsupported value: "Why": supported values: "FieldValueDuplicate", "FieldValueForbidden", '
            '"FieldValueInvalid", "FieldValueRequired"'
        ],
    ),
    "field path": ({"rule": "true", "fieldPath": ".nope"}, [f'{AT}.fieldPath: Invalid value: ".nope": fieldPath must be a valid path']),
    "unknown field": (
        "self.z == 100",
        [
            f"{AT}.rule: Invalid value: {SHOWN % ('self.z == 100', '')}: compilation failed: ERROR: <input>:1:5: undefined field 'z'\n"
            " | self.z == 100\n | ....^"
        ],
    ),
    "no condition": ("self.x", [f"{AT}.rule: Invalid value: {SHOWN % ('self.x', '')}: cel expression must evaluate to a bool"]),
    "message is no text": (
        {"rule": "true", "messageExpression": "1"},
        [f"{AT}.messageExpression: Invalid value: {SHOWN % ('true', '1')}: messageExpression must evaluate to a string"],
    ),
    "optional without old": (
        {"rule": "self.x == 1", "optionalOldSelf": True},
        [f"{AT}.optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule"],
    ),
    "not declared": (
        "self.free.a == 1",
        [
            f"{AT}.rule: Invalid value: {SHOWN % ('self.free.a == 1', '')}: compilation failed: ERROR: <input>:1:10: undefined field 'a'\n"
            " | self.free.a == 1\n | .........^"
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "expected"), MALFORMED.values(), ids=MALFORMED)
def test_malformed(rule: Any, expected: list[str]):
    assert [str(one) for one in schema_rules.validate(spec_with(rule), "s")] == expected


def test_metadata_is_known_by_its_name_only():
    schema = {"type": "object", "x-kubernetes-validations": [{"rule": "self.metadata.labels == {}"}]}
    assert "undefined field 'labels'" in str(schema_rules.validate(schema, "s")[0])
    schema["x-kubernetes-validations"] = [{"rule": "self.metadata.name.startsWith(self.metadata.generateName)"}]
    assert schema_rules.validate(schema, "s") == []


def test_old_values_of_lists_without_keys_cannot_be_told():
    schema = spec_with()
    plain = schema["properties"]["spec"]["properties"]["plain"]
    plain["items"] = {"type": "integer", "x-kubernetes-validations": [{"rule": "self >= oldSelf"}]}
    at = "s.properties[spec].properties[plain]"
    assert [str(one) for one in schema_rules.validate(schema, "s")] == [
        f'{at}.items.x-kubernetes-validations[0].rule: Invalid value: "self >= oldSelf": '
        f"oldSelf cannot be used on the uncorrelatable portion of the schema within {at}"
    ]


def test_rules_that_may_cost_too_much():
    schema = spec_with("self.names.all(n, n.contains('gpu'))")
    names: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
    schema["properties"]["spec"]["properties"]["names"] = names
    assert [str(one) for one in schema_rules.validate(schema, "s")] == [
        f"{AT}.rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x {HINT}",
        f"{AT}.rule: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema",
        f"s: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of "
        f"more than 100x {HINT}",
    ]


# What upstream's own validator of 1.36 takes of this rule.
LARGEST = {16: 909_090, 63: 333_333, 253: 94_339, 1024: 24_154}


@pytest.mark.parametrize(("length", "items"), LARGEST.items())
def test_estimates_are_upstreams(length: int, items: int):
    def found(count: int) -> list[Any]:
        schema = spec_with("self.names.all(n, n.contains('gpu'))")
        names = {"type": "array", "maxItems": count, "items": {"type": "string", "maxLength": length}}
        schema["properties"]["spec"]["properties"]["names"] = names
        return schema_rules.validate(schema, "s")

    assert found(items - 1) == []
    assert len(found(items + 1)) == 1


def test_rules_are_no_alternatives():
    inner = {"x-kubernetes-validations": [{"rule": "true"}]}
    schema = {"type": "object", "anyOf": [inner]}
    assert [str(one) for one in schema_rules.validate(schema, "s")] == [
        "s.anyOf[0].x-kubernetes-validations: Forbidden: must be empty to be structural"
    ]


def test_rules_of_all_of_are_asked_at_its_place():
    schema = spec_with()
    spec = schema["properties"]["spec"]
    spec["allOf"] = [{"properties": {"x": {"x-kubernetes-validations": [{"rule": "self > 0"}]}}}]
    assert schema_rules.validate(schema, "s") == []
    assert errors(schema, {"x": 0}) == ['spec.x: Invalid value: "integer": failed rule: self > 0']


def test_defaults_keep_the_rules():
    schema = spec_with(x="self > 1", labels="!('a' in self)")
    properties = schema["properties"]["spec"]["properties"]
    properties["x"]["default"] = 1
    properties["labels"]["default"] = {"a": "b"}
    at = "s.properties[spec].properties"
    assert [str(one) for one in schema_rules.validate(schema, "s")] == [
        f'{at}[x].default: Invalid value: "integer": failed rule: self > 1',
        f"{at}[labels].default: Invalid value: \"object\": failed rule: !('a' in self)",
    ]
    properties["x"]["default"], properties["labels"]["default"] = 2, {}
    assert schema_rules.validate(schema, "s") == []


PATHS = {".x": "x", ".labels['a b']": "labels[a b]", ".keyed": "keyed", "['x']": "x", ".labels.a": "labels[a]"}


@pytest.mark.parametrize(("path", "expected"), PATHS.items(), ids=PATHS)
def test_paths(path: str, expected: str):
    assert expression_paths.normalized(path, {"properties": SPEC}) == expected


@pytest.mark.parametrize("path", ["x", ".", ".x.y", ".nope", "[x]", ".labels['\\q']", ".keyed[0]"])
def test_wrong_paths(path: str):
    with pytest.raises(expression_paths.Wrong):
        expression_paths.normalized(path, {"properties": SPEC})


def test_a_schema_without_rules_has_no_validator():
    assert expressions.validator({"type": "object"}) is None
