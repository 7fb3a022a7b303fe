"""Which rule wins: a table of requests, and a property against asking every rule one by one."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from steersman.ingress import routes
from steersman.ingress.routes import Action, Condition, Rule, Target


def rule(host: str, path: str, name: str, *, exact: bool = False, header: str = "") -> Rule:
    conditions = (Condition("header", "x", header),) if header else ()
    return Rule(host, path, Action((Target(name),)), exact, conditions)


def found(rules: list[Rule], host: str, path: str, header: str = "") -> str:
    """What a proxy makes of the table: one look-up per form of the host, then the list in turn."""
    table = routes.table(rules)
    wildcards = [f"**{host[index:]}" for index, letter in enumerate(host) if letter == "."]
    for form in (host, f"*.{host.partition('.')[2]}", *wildcards, ""):
        exact = [place for place in table if place == (form, path, True)]
        prefixes = [place for place in table if place[0] == form and not place[2] and is_below(path, place[1])]
        for place in [*exact, *sorted(prefixes, key=lambda one: -len(one[1]))]:
            for one in table[place]:
                if all(condition.value == header for condition in one.conditions):
                    return one.action.targets[0].backend
            return "404"
    return "404"


def is_below(path: str, prefix: str) -> bool:
    return prefix == "/" or path == prefix or path.startswith(prefix + "/")


RULES = [
    rule("a.test", "/", "root"),
    rule("a.test", "/foo", "foo"),
    rule("a.test", "/foo", "foo exact", exact=True),
    rule("a.test", "/foo/bar", "bar"),
    rule("*.test", "/", "star"),
    rule("*.test", "/only", "star only"),
    rule("**.wide.test", "/", "wide"),
    rule("", "/any", "any"),
    rule("a.test", "/foo/bar", "second comer"),
    rule("a.test", "/h", "with header", header="1"),
    rule("a.test", "/h/deep", "deep with header", header="2"),
]


@pytest.mark.parametrize(
    ("host", "path", "header", "expected"),
    [
        ("a.test", "/", "", "root"),
        ("a.test", "/foo", "", "foo exact"),
        ("a.test", "/foo/", "", "foo"),
        ("a.test", "/foobar", "", "root"),
        ("a.test", "/foo/bar/x", "", "bar"),
        ("b.test", "/x", "", "star"),
        ("b.test", "/only", "", "star only"),
        ("c.b.test", "/x", "", "404"),
        ("c.b.test", "/any", "", "any"),
        ("x.wide.test", "/", "", "wide"),
        ("x.y.wide.test", "/", "", "wide"),
        ("wide.test", "/", "", "star"),
        ("other", "/any/thing", "", "any"),
        ("other", "/", "", "404"),
        ("a.test", "/h", "1", "with header"),
        ("a.test", "/h", "", "root"),
        ("a.test", "/h/deep", "2", "deep with header"),
        ("a.test", "/h/deep", "1", "with header"),
        ("a.test", "/h/deep", "", "root"),
    ],
)
def test_the_most_specific_rule_wins(host, path, header, expected):
    assert found(RULES, host, path, header) == expected


_hosts = st.sampled_from(["a.test", "*.test", "b.a.test", "**.test", "**.a.test", ""])
_paths = st.sampled_from(["/", "/a", "/a/b", "/ab", "/a/b/c"])
_rules = st.lists(st.tuples(_hosts, _paths, st.booleans(), st.sampled_from(["", "1", "2"])), max_size=8)


@example([("b.a.test", "/", False, "1"), ("**.test", "/a", False, "")], "b.a.test", "/a", "")
@given(_rules, st.sampled_from(["a.test", "b.a.test", "c.b.a.test", "test"]), _paths, st.sampled_from(["", "1"]))
def test_the_table_finds_what_asking_every_rule_finds(made, host, path, header):
    rules = [
        rule(its_host, its_path, str(number), exact=exact, header=wanted)
        for number, (its_host, its_path, exact, wanted) in enumerate(made)
    ]
    assert found(rules, host, path, header) == _asking_all(rules, host, path, header)


def _asking_all(rules: list[Rule], host: str, path: str, header: str) -> str:
    matching = [
        (number, one)
        for number, one in enumerate(rules)
        if _host_matches(one.host, host)
        and (path == one.path if one.exact else is_below(path, one.path))
        and all(condition.value == header for condition in one.conditions)
    ]
    if not matching:
        return "404"

    def rank(numbered: tuple[int, Rule]) -> tuple[int, int, bool, int, int, int]:
        number, one = numbered
        kind = 3 if not one.host else 2 if one.host.startswith("**") else 1 if one.host.startswith("*") else 0
        return kind, -len(one.host), not one.exact, -len(one.path), -len(one.conditions), number

    return min(matching, key=rank)[1].action.targets[0].backend


def _host_matches(pattern: str, host: str) -> bool:
    if pattern.startswith("**."):
        return host.endswith(pattern[2:]) and len(host) > len(pattern[2:])
    if pattern.startswith("*."):
        return host.partition(".")[2] == pattern[2:]
    return pattern in ("", host)
