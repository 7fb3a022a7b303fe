"""The way of one certificate, move by move: after upstream's podcertificatemanager_test.go."""

import dataclasses
import datetime
from typing import Any

import pytest

from steersman.kubelet.certificates import issuance
from steersman.kubelet.certificates.issuance import Asked, Bundle, Held, Step
from steersman.meta import times
from steersman.meta.objects import Object

NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
CHAIN = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"


def at(hours: float) -> datetime.datetime:
    return NOW + datetime.timedelta(hours=hours)


OLD = Bundle(b"old", b"chain", at(1), at(2))
NEW = Bundle(b"new", CHAIN.encode(), at(20) + datetime.timedelta(seconds=100), at(24))
ASKED = Asked("req-1", b"new", at(0.2))
SEEN = dataclasses.replace(ASKED, was_seen=True)


def request(*conditions: str, **status: Any) -> Object:
    listed = [{"type": one, "reason": "Why", "message": 'so "it" is'} for one in conditions]
    return {"metadata": {"name": "req-1", "namespace": "default"}, "status": {"conditions": listed, **status}}


ISSUED = request(
    "Issued",
    certificateChain=CHAIN,
    beginRefreshAt=times.format_seconds(at(20)),
    notAfter=times.format_seconds(at(24)),
)
QUOTED = 'reason="Why", message="so \\"it\\" is"'
DENIED = Held(refusal=f"PodCertificateRequest was permanently denied: {QUOTED.replace(',', '')}")
FAILED = Held(refusal=f"PodCertificateRequest was permanently failed: {QUOTED.replace(',', '')}")


@pytest.mark.parametrize(
    ("held", "seen", "expect"),
    [
        (Held(), None, Step(Held(), asks=True)),
        (Held(asked=ASKED), None, Step(Held(asked=ASKED), again_at=at(0.2))),
        (Held(asked=ASKED), request(), Step(Held(asked=SEEN))),
        (Held(asked=SEEN), None, Step(Held(), asks=True)),
        (Held(asked=dataclasses.replace(ASKED, abandon_at=at(-1))), None, Step(Held(), asks=True)),
        (Held(asked=SEEN), ISSUED, Step(Held(NEW), again_at=NEW.refresh_at)),
        (
            Held(asked=SEEN),
            request("Denied"),
            Step(DENIED, (("Denied", f"PodCertificateRequest default/req-1 was denied, {QUOTED}"),)),
        ),
        (
            Held(asked=SEEN),
            request("Failed"),
            Step(FAILED, (("Failed", f"PodCertificateRequest default/req-1 failed, {QUOTED}"),)),
        ),
        (DENIED, None, Step(DENIED)),
        (Held(OLD), None, Step(Held(OLD), again_at=at(1))),
        (Held(OLD, SEEN), request(), Step(Held(OLD, SEEN), again_at=at(1))),
        (Held(OLD, SEEN), ISSUED, Step(Held(NEW), again_at=NEW.refresh_at)),
        (
            Held(OLD, SEEN),
            request("Denied"),
            Step(DENIED, (("Denied", f"PodCertificateRequest default/req-1 was denied, {QUOTED}"),)),
        ),
    ],
    ids=[
        "nothing yet",
        "asked, not seen",
        "seen",
        "deleted",
        "never seen",
        "issued",
        "denied",
        "failed",
        "denied for good",
        "fresh",
        "asked anew",
        "issued anew",
        "denied anew",
    ],
)
def test_moves(held: Held, seen: Object | None, expect: Step) -> None:
    assert issuance.decide(held, seen, NOW, 100.0) == expect


def told(*reasons: str) -> Bundle:
    return dataclasses.replace(OLD, told=frozenset(reasons))


OVERDUE, EXPIRED = "CertificateOverdueForRefresh", "CertificateExpired"


@pytest.mark.parametrize(
    ("hours", "bundle", "events", "asks"),
    [
        (0.9, told(), [], False),
        (1.0, told(), [], True),
        (1.2, told(), [(OVERDUE, "PodCertificate refresh overdue")], True),
        (1.2, told(OVERDUE), [], True),
        (2.1, told(OVERDUE), [(EXPIRED, "PodCertificate expired")], True),
        (2.1, told(), [(OVERDUE, "PodCertificate refresh overdue"), (EXPIRED, "PodCertificate expired")], True),
        (9.0, told(OVERDUE, EXPIRED), [], True),
    ],
)
def test_growing_old(hours: float, bundle: Bundle, events: list[tuple[str, str]], asks: bool) -> None:
    step = issuance.decide(Held(bundle), None, at(hours), 0.0)
    assert list(step.events) == events
    assert step.asks is asks
    assert issuance.decide(step.held, None, at(hours), 0.0).events == ()


def test_what_is_asked() -> None:
    pod = {
        "metadata": {"name": "web", "namespace": "default", "uid": "u1"},
        "spec": {"serviceAccountName": "robot"},
    }
    source = {
        "signerName": "a.io/b",
        "keyType": "ED25519",
        "maxExpirationSeconds": 3600,
        "userAnnotations": {"a.io/c": "d"},
    }
    account, node = {"metadata": {"uid": "u2"}}, {"metadata": {"name": "node-1", "uid": "u3"}}
    made = issuance.request(pod, source, account, node, "c3R1Yg==")
    assert made["metadata"] == {
        "generateName": "req-",
        "namespace": "default",
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": "u1"}],
    }
    assert made["spec"] == {
        "signerName": "a.io/b",
        "podName": "web",
        "podUID": "u1",
        "serviceAccountName": "robot",
        "serviceAccountUID": "u2",
        "nodeName": "node-1",
        "nodeUID": "u3",
        "maxExpirationSeconds": 3600,
        "stubPKCS10Request": "c3R1Yg==",
        "unverifiedUserAnnotations": {"a.io/c": "d"},
    }
