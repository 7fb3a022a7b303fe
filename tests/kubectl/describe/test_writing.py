"""What descriptions are made of."""

import datetime
from typing import Any

import pytest

from steersman.kubectl.describe import events, generic, kinds, writing
from steersman.kubectl.describe.writing import Description, Seen

NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
SEEN = Seen(NOW, zone=datetime.UTC)


def written(act: Any, *arguments: Any, seen: Seen = SEEN) -> str:
    description = Description(seen)
    act(description, *arguments)
    return description.text()


def described(group: str, obj: dict[str, Any], seen: Seen = SEEN) -> str:
    return kinds.describe(kinds.describer(group, obj["kind"]), obj, seen)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (None, "Labels:  <none>\n"),
        ({"b": "2", "a": "1"}, "Labels:  a=1\n         b=2\n"),
    ],
)
def test_labels(pairs: dict[str, str] | None, expected: str) -> None:
    assert written(writing.labels, "Labels", pairs) == expected


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ({}, "Notes:  <none>\n"),
        ({"kubectl.kubernetes.io/last-applied-configuration": "{}"}, "Notes:  <none>\n"),
        ({"a": "1", "b": "2\n"}, "Notes:  a: 1\n        b: 2\n"),
        ({"a": "1\n2"}, "Notes:  a:\n          1\n          2\n"),
        ({"a": "x" * 140}, f"Notes:  a:\n          {'x' * 138}...\n"),
        ({"a": "red\x1b[31m\r"}, "Notes:  a: red^[[31m\\r\n"),
    ],
)
def test_annotations(pairs: dict[str, str], expected: str) -> None:
    assert written(writing.annotations, "Notes", pairs) == expected


def test_times_are_told_where_the_reader_is() -> None:
    east = Description(Seen(NOW, zone=datetime.timezone(datetime.timedelta(hours=2))))
    assert east.time("2026-01-01T23:30:00Z") == "Fri, 02 Jan 2026 01:30:00 +0200"
    assert east.time(None) == "Mon, 01 Jan 0001 00:00:00 +0000"
    assert east.since("2026-01-01T23:30:00Z") == "30m"


def event(**fields: Any) -> dict[str, Any]:
    return {"type": "Normal", "reason": "R", "source": {"component": "c"}, "message": " m\n", **fields}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, ""),
        ([], "Events:  <none>\n"),
        (
            [
                event(firstTimestamp="2026-01-01T23:50:00Z", lastTimestamp="2026-01-01T23:59:00Z", count=3),
                event(firstTimestamp="2026-01-01T23:58:00Z", lastTimestamp="2026-01-01T23:58:00Z", count=1, reason="S"),
                event(
                    eventTime="2026-01-01T23:00:00.000000Z",
                    source={},
                    reportingComponent="r",
                    series={"count": 7, "lastObservedTime": "2026-01-01T23:59:30.000000Z"},
                ),
            ],
            "Events:\n"
            "  Type    Reason  Age                From  Message\n"
            "  ----    ------  ----               ----  -------\n"
            "  Normal  R       30s (x7 over 60m)  r     m\n"
            "  Normal  S       2m                 c     m\n"
            "  Normal  R       60s (x3 over 10m)  c     m\n",
        ),
    ],
)
def test_events(found: Any, expected: str) -> None:
    assert written(events.write, seen=Seen(NOW, events=found)) == expected


@pytest.mark.parametrize(
    ("field", "title"),
    [
        ("apiVersion", "API Version"),
        ("replicaCount", "Replica Count"),
        ("fooURL", "Foo URL"),
        ("uid", "UID"),
        ("HTTPProxy", "HTTP Proxy"),
        ("kebab-case", "Kebab - Case"),
        ("snake_case", "snake_case"),
        ("a1b", "a1b"),
        ("Upper", "Upper"),
    ],
)
def test_titles_of_fields(field: str, title: str) -> None:
    assert generic.title(field) == title


def test_an_object_of_any_kind() -> None:
    thing = {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "t", "namespace": "n", "uid": "u", "labels": {"a": "b"}, "managedFields": [{}]},
        "spec": {"list": [1, {"k": "v"}], "empty": {}, "none": None, "num": 1.5},
    }
    assert described("example.com", thing) == (
        "Name:         t\n"
        "Namespace:    n\n"
        "Labels:       a=b\n"
        "Annotations:  <none>\n"
        "API Version:  example.com/v1\n"
        "Kind:         Thing\n"
        "Metadata:\n"
        "  UID:  u\n"
        "Spec:\n"
        "  Empty:\n"
        "  List:\n"
        "    1\n"
        "    K:   v\n"
        "  None:  <nil>\n"
        "  Num:   1.5\n"
    )
