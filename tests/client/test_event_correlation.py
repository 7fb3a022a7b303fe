"""client-go's rules for repeated, similar and flooding events."""

import datetime
from typing import Any

from steersman.client import event_correlation
from steersman.client.event_correlation import Correlator, Occurrence, Write

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "default", "uid": "u1", "resourceVersion": "7"},
}


def seen(message="Pulled image", after=0.0, reason="Pulled", obj=POD, field_path="", host="n1"):
    at = START + datetime.timedelta(seconds=after)
    return Occurrence(event_correlation.reference(obj, field_path), "Normal", reason, message, at, "kubelet", host)


def wrote(correlator: Correlator, *arguments: Any, **options: Any) -> Write:
    """What is written for an occurrence that must not be cut."""
    write = correlator.decide(seen(*arguments, **options))
    assert write is not None
    return write


def test_a_new_event_has_upstreams_fields():
    write = wrote(Correlator(), field_path="spec.containers{web}")
    assert write.patch is None
    assert write.event == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"web.{int(START.timestamp()) * 10**9:x}", "namespace": "default"},
        "involvedObject": {
            "kind": "Pod",
            "namespace": "default",
            "name": "web",
            "uid": "u1",
            "apiVersion": "v1",
            "resourceVersion": "7",
            "fieldPath": "spec.containers{web}",
        },
        "reason": "Pulled",
        "message": "Pulled image",
        "source": {"component": "kubelet", "host": "n1"},
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "count": 1,
        "type": "Normal",
        "eventTime": None,
        "reportingComponent": "kubelet",
        "reportingInstance": "n1",
    }


def test_events_about_cluster_scoped_objects_go_to_default():
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "uid": "n1"}}
    write = wrote(Correlator(), obj=node, host="")
    assert write.event["metadata"]["namespace"] == "default"
    assert write.event["source"] == {"component": "kubelet"}


def test_the_same_again_raises_the_count():
    correlator = Correlator()
    first = wrote(correlator)
    second = wrote(correlator, after=10)
    assert second.patch == {"count": 2, "lastTimestamp": "2026-01-01T00:00:10Z", "message": "Pulled image"}
    assert second.event["metadata"] == first.event["metadata"]
    assert second.event["firstTimestamp"] == "2026-01-01T00:00:00Z"
    assert second.event["count"] == 2


def test_what_differs_is_another_event_with_another_name():
    correlator = Correlator()
    writes = [
        wrote(correlator),
        wrote(correlator, "other message"),
        wrote(correlator, reason="Other"),
        wrote(correlator, field_path="spec.containers{other}"),
        wrote(correlator, host="n2"),
    ]
    assert [write.patch for write in writes] == [None] * 5
    assert len({write.event["metadata"]["name"] for write in writes}) == 5


def test_what_was_refused_starts_anew():
    correlator = Correlator()
    write = wrote(correlator)
    correlator.forget(write.key)
    assert wrote(correlator, after=1).patch is None


def test_many_similar_events_become_one():
    correlator = Correlator()
    writes = [wrote(correlator, f"message {number}", number) for number in range(12)]
    assert [write.patch is None for write in writes] == [True] * 10 + [False] * 2
    assert [write.event["message"] for write in writes[8:]] == [
        "message 8",
        "(combined from similar events): message 9",
        "(combined from similar events): message 10",
        "(combined from similar events): message 11",
    ]
    assert writes[-1].event["count"] == 3


def test_after_ten_quiet_minutes_events_are_no_longer_combined():
    correlator = Correlator()
    for number in range(12):
        wrote(correlator, f"message {number}")
    assert wrote(correlator, "later", 601).event["message"] == "later"


def test_a_flood_is_cut_to_its_burst_then_trickles():
    correlator = Correlator()
    writes = [correlator.decide(seen()) for _ in range(40)]
    assert sum(write is not None for write in writes) == 25
    later = wrote(correlator, after=301)
    assert later.patch is not None
    assert later.patch["count"] == 41  # the dropped ones count
    assert correlator.decide(seen(after=302)) is None


def test_a_flood_about_one_object_does_not_silence_others():
    correlator = Correlator()
    for _ in range(40):
        correlator.decide(seen())
    other = {**POD, "metadata": {"name": "other", "uid": "u2"}}
    assert wrote(correlator, obj=other) is not None


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(event_correlation, "REMEMBERED_MAX", 3)
    correlator = Correlator()
    for number in range(10):
        wrote(correlator, obj={**POD, "metadata": {"name": str(number), "uid": str(number)}})
    again = wrote(correlator, obj={**POD, "metadata": {"name": "0", "uid": "0"}})
    assert again.patch is None  # forgotten: a new Event
