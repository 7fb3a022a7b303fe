import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.meta import selectors

LABELS = {"app": "web", "tier": "front", "n": "5", "empty": ""}

MATCHES = {
    "everything": ("", True),
    "equal": ("app=web", True),
    "double equal": ("app==web", True),
    "other value": ("app=db", False),
    "unequal": ("app!=db", True),
    "unequal of a missing key": ("gone!=x", True),
    "in": ("tier in (back, front)", True),
    "in without": ("tier in (back)", False),
    "notin": ("tier notin (back)", True),
    "notin of a missing key": ("gone notin (x)", True),
    "exists": ("app", True),
    "does not exist": ("!gone", True),
    "does not exist but does": ("!app", False),
    "greater": ("n>4", True),
    "less": ("n<4", False),
    "greater of no number": ("app>4", False),
    "all must hold": ("app=web,tier=back", False),
    "empty value": ("empty=", True),
    "empty value in a set": ("empty in (,x)", True),
    "spaces": ("  app = web , tier in( front ) ", True),
}


@pytest.mark.parametrize(("text", "expect"), MATCHES.values(), ids=MATCHES.keys())
def test_matches(text, expect):
    assert selectors.matches(selectors.parse(text), LABELS) is expect


WRONG = {
    "two operators": "app=web=x",
    "no key": "=x",
    "open set": "app in (a",
    "no set": "app in a",
    "empty set": "app in ",
    "trailing comma": "app,",
    "bad key": "-app=x",
    "bad value": "app=-x-",
    "no number": "n>x",
    "two words": "app web",
    "only not": "!",
    "two commas": "a,,b",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_refuses(text):
    with pytest.raises(selectors.SelectorError):
        selectors.parse(text)


OBJECTS = {
    "absent selects nothing": (None, False),
    "empty selects everything": ({}, True),
    "labels": ({"matchLabels": {"app": "web"}}, True),
    "In": ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}]}, True),
    "NotIn": ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
    "Exists": ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
    "DoesNotExist": ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
    "both": ({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]}, False),
}


@pytest.mark.parametrize(("obj", "expect"), OBJECTS.values(), ids=OBJECTS.keys())
def test_object_form(obj, expect):
    assert selectors.object_matches(obj, LABELS) is expect


def test_object_form_refuses_unknown_operators():
    with pytest.raises(selectors.SelectorError, match="not a valid label selector operator"):
        selectors.from_object({"matchExpressions": [{"key": "a", "operator": "Near"}]})


def test_object_form_as_text():
    selector = {
        "matchLabels": {"b": "1", "a": "2"},
        "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["z", "y"]},
            {"key": "d", "operator": "DoesNotExist"},
        ],
    }
    assert str(selectors.from_object(selector)) == "a=2,b=1,c in (y,z),!d"


words = st.from_regex(r"[a-z]([a-z0-9_.]{0,5}[a-z0-9])?", fullmatch=True)
requirements = st.one_of(
    st.builds(lambda k, v: selectors.Requirement(k, "=", (v,)), words, words),
    st.builds(lambda k, v: selectors.Requirement(k, "!=", (v,)), words, words),
    st.builds(lambda k: selectors.Requirement(k, "exists"), words.filter(lambda k: k not in ("in", "notin"))),
    st.builds(lambda k: selectors.Requirement(k, "!"), words),
    st.builds(
        lambda k, v: selectors.Requirement(k, "in", tuple(sorted(v))), words, st.sets(words, min_size=1, max_size=3)
    ),
    st.builds(lambda k, n: selectors.Requirement(k, "gt", (str(n),)), words, st.integers(0, 99)),
)


@given(st.lists(requirements, max_size=4))
def test_text_parses_back_to_the_same_selector(listed):
    selector = selectors.Selector(tuple(sorted(listed, key=lambda one: one.key)))
    assert selectors.parse(selectors.format(selector)) == selector


@given(st.text(alphabet="ab=!,()<> in", max_size=15))
def test_any_text_parses_or_is_refused(text):
    try:
        selector = selectors.parse(text)
    except selectors.SelectorError:
        return
    assert selectors.parse(str(selector)) == selector


FIELDS = {
    "equal": ("status.phase=Running", {"status.phase": "Running"}, True),
    "double equal": ("status.phase==Running", {"status.phase": "Pending"}, False),
    "unequal": ("status.phase!=Running", {"status.phase": "Pending"}, True),
    "empty value": ("spec.nodeName=", {"spec.nodeName": ""}, True),
    "two": ("a=1,b!=2", {"a": "1", "b": "3"}, True),
    "escaped": (r"a=x\,y\=z", {"a": "x,y=z"}, True),
    "nothing": ("", {}, True),
}


@pytest.mark.parametrize(("text", "values", "expect"), FIELDS.values(), ids=FIELDS.keys())
def test_field_selectors(text, values, expect):
    selector = selectors.parse_fields(text)
    assert selector.matches(values) is expect
    assert selectors.parse_fields(str(selector)) == selector


def test_field_selectors_without_an_operator_are_refused():
    with pytest.raises(selectors.SelectorError, match="invalid selector: 'abc'; can't understand 'abc'"):
        selectors.parse_fields("abc")


def test_field_selectors_name_the_one_object_they_want():
    assert selectors.parse_fields("metadata.name=x").exact("metadata.name") == "x"
    assert selectors.parse_fields("metadata.name!=x").exact("metadata.name") is None
