"""Whose logins are for an image: after upstream's keyring_test.go."""

import pytest

from steersman.kubelet.credentials import keyring


@pytest.mark.parametrize(
    ("pattern", "name", "expect"),
    [
        ("*.registry.io", "sub.registry.io/app", True),
        ("*.*.registry.io", "a.b.registry.io/app", True),
        ("*.registry.io", "registry.io/app", False),
        ("*.registry.io", "a.b.registry.io/app", False),
        ("sub*.registry.io", "sub1.registry.io/app", True),
        ("registry.io", "registry.io/any/app", True),
        ("registry.io/team", "registry.io/team/app", True),
        ("registry.io/team", "registry.io/other/app", False),
        ("registry.io:8080", "registry.io:8080/app", True),
        ("registry.io:8080", "registry.io/app", False),
        ("registry.io", "registry.io:8080/app", False),
        ("registry.io:8080/path", "registry.io:8080/path/app", True),
        ("*.registry.*", "a.registry.example/app", True),
        ("bad name", "bad name/app", False),
    ],
)
def test_patterns(pattern: str, name: str, expect: bool) -> None:
    assert keyring.matches(pattern, name) is expect


@pytest.mark.parametrize(
    ("entries", "name", "expect"),
    [
        ({"registry.io": 1, "registry.io/team": 2, "*.io": 3}, "registry.io/team/app", [2, 1, 3]),
        ({"https://registry.io/v1/": 1, "http://registry.io/v2/team": 2}, "registry.io/team/app", [2, 1]),
        ({"registry.io/team": 1}, "registry.io/other/app", []),
        ({"https://index.docker.io/v1/": 1}, "docker.io/library/nginx", [1]),
        ({"index.docker.io": 1, "docker.io": 2}, "docker.io/library/nginx", [2]),
        ({"index.docker.io": 1}, "registry.io/app", []),
        ({"index.docker.io": 1}, "nginx", [1]),
        ({"https://[bad": 1}, "registry.io/app", []),
    ],
    ids=[
        "the most exact first",
        "schemes and versions",
        "another team",
        "docker hub",
        "by its own name",
        "elsewhere",
        "short",
        "no URL",
    ],
)
def test_entries(entries: dict[str, int], name: str, expect: list[int]) -> None:
    assert keyring.fitting(entries, name) == expect
