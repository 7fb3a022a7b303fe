"""JSONPath and formats."""

from typing import Any

import pytest

from steersman.api.custom import formats, json_path

OBJECT = {
    "spec": {"replicas": 3, "a.b": "dotted", "list": [{"n": "x", "v": 1}, {"n": "y", "v": 2}]},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Synced", "status": "False"}]},
}

PATHS: dict[str, list[Any]] = {
    ".spec.replicas": [3],
    ".spec.missing": [],
    "$.spec.replicas": [3],
    r".spec.a\.b": ["dotted"],
    ".spec['a.b']": ["dotted"],
    ".spec.list[0].n": ["x"],
    ".spec.list[-1].n": ["y"],
    ".spec.list[*].v": [1, 2],
    ".spec.list[0:1].v": [1],
    ".spec.list[0,1].n": ["x", "y"],
    "..status": [OBJECT["status"], "True", "False"],
    '.status.conditions[?(@.type=="Ready")].status': ["True"],
    ".spec.list[?(@.v>1)].n": ["y"],
    ".status.conditions[?(@.type=='None')].status": [],
}


@pytest.mark.parametrize(("path", "expect"), PATHS.items(), ids=PATHS)
def test_paths(path: str, expect: list[Any]):
    assert json_path.compiled(path).find(OBJECT) == expect


@pytest.mark.parametrize("path", [".spec.", "spec", ".a[", ".a[x]", ".a[?(b)]", ".a..", "{.a}", ".a['b]"])
def test_malformed_paths(path: str):
    with pytest.raises(json_path.Malformed):
        json_path.compiled(path)


FORMATS: dict[str, tuple[list[str], list[str]]] = {
    "date-time": (["2026-01-01T00:00:00Z", "2026-01-01T00:00:00+01:00"], ["2026-01-01", "x"]),
    "date": (["2026-01-31"], ["2026-02-31", "20260131"]),
    "duration": (["1h", "5m30s", "3 days"], ["x", "1"]),
    "ipv6": (["::1"], ["1.2.3.4"]),
    "cidr": (["10.0.0.0/8", "::/0"], ["10.0.0.0"]),
    "uuid": (["123e4567-e89b-12d3-a456-426614174000"], ["x"]),
    "hostname": (["a.example.com"], ["-a", "a_b"]),
    "email": (["a@b.c"], ["a"]),
    "byte": (["aGk="], ["a"]),
    "uri": (["https://a/b"], ["a b"]),
    "mac": (["00:11:22:33:44:55"], ["00:11"]),
}


@pytest.mark.parametrize(("name", "texts"), FORMATS.items(), ids=FORMATS)
def test_formats(name: str, texts: tuple[list[str], list[str]]):
    fits = formats.check_of(name)
    assert fits is not None
    assert [one for one in texts[0] if not fits(one)] == []
    assert [one for one in texts[1] if fits(one)] == []
