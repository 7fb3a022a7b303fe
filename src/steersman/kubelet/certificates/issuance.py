"""The way of one certificate: asked for, issued or refused for good, asked for anew when it gets old. Pure.

    nothing → asked → issued → issued, and asked anew → issued …        refused stays so, for this pod

Source: upstream's kubelet/podcertificate.
"""

import dataclasses
import datetime
import json
from typing import Any

from steersman.kubelet.certificates import keys
from steersman.meta import times
from steersman.meta.objects import Object

# A request that nobody has seen by then was deleted, or never heard of.
ABANDONED_SECONDS = 600.0
OVERDUE_SECONDS = 600.0  # after the moment that the signer named
# Pods that came together do not come back together.
JITTER_SECONDS = 300.0
NOT_YET = "credential bundle is not issued yet"


@dataclasses.dataclass(frozen=True, slots=True)
class Bundle:
    key: bytes
    chain: bytes
    refresh_at: datetime.datetime
    not_after: datetime.datetime
    told: frozenset[str] = frozenset()  # reasons of Events


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    name: str  # of the PodCertificateRequest
    key: bytes
    abandon_at: datetime.datetime
    was_seen: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    bundle: Bundle | None = None
    asked: Asked | None = None
    refusal: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """`events`: (reason, message), all warnings. `asks`: a new request is due. `again_at`: when to look again at the latest."""

    held: Held
    events: tuple[tuple[str, str], ...] = ()
    asks: bool = False
    again_at: datetime.datetime | None = None


def decide(held: Held, request: Object | None, now: datetime.datetime, jitter_seconds: float) -> Step:
    """`request` is the one that was asked, as last seen; `jitter_seconds` a part of JITTER_SECONDS."""
    if held.refusal:
        return Step(held)
    events: tuple[tuple[str, str], ...] = ()
    if held.asked is not None:
        step = _answered(held, held.asked, request, jitter_seconds)
        held, events = step.held, step.events
        if held.asked is not None and request is None and (held.asked.was_seen or now > held.asked.abandon_at):
            held = dataclasses.replace(held, asked=None)
        elif held.asked is not None and request is not None:
            held = dataclasses.replace(held, asked=dataclasses.replace(held.asked, was_seen=True))
    if held.refusal:
        return Step(held, events)
    held, told = _tell_age(held, now)
    is_due = held.bundle is None or now >= held.bundle.refresh_at
    return Step(held, (*events, *told), held.asked is None and is_due, _again_at(held, now))


def _answered(held: Held, asked: Asked, request: Object | None, jitter_seconds: float) -> Step:
    status = (request or {}).get("status") or {}
    for one in status.get("conditions") or ():
        kind, reason, message = one.get("type"), json.dumps(one.get("reason", "")), json.dumps(one.get("message", ""))
        if kind == "Issued":
            jitter = datetime.timedelta(seconds=jitter_seconds)
            refresh_at, not_after = times.parse(status["beginRefreshAt"]) + jitter, times.parse(status["notAfter"])
            return Step(Held(Bundle(asked.key, keys.cleaned(status["certificateChain"]), refresh_at, not_after)))
        if kind in ("Denied", "Failed"):
            how = "was denied" if kind == "Denied" else "failed"
            space = (request or {})["metadata"].get("namespace", "")
            told = f"PodCertificateRequest {space}/{asked.name} {how}, reason={reason}, message={message}"
            refusal = f"PodCertificateRequest was permanently {kind.lower()}: reason={reason} message={message}"
            return Step(Held(refusal=refusal), ((kind, told),))
    return Step(held)


def _tell_age(held: Held, now: datetime.datetime) -> tuple[Held, list[tuple[str, str]]]:
    bundle = held.bundle
    if bundle is None:
        return held, []
    overdue_at = bundle.refresh_at + datetime.timedelta(seconds=OVERDUE_SECONDS)
    said = [
        (reason, message)
        for reason, message, at in (
            ("CertificateOverdueForRefresh", "PodCertificate refresh overdue", overdue_at),
            ("CertificateExpired", "PodCertificate expired", bundle.not_after),
        )
        if now > at and reason not in bundle.told
    ]
    told = bundle.told | {reason for reason, _ in said}
    return dataclasses.replace(held, bundle=dataclasses.replace(bundle, told=told)), said


def _again_at(held: Held, now: datetime.datetime) -> datetime.datetime | None:
    moments = [held.asked.abandon_at] if held.asked is not None and not held.asked.was_seen else []
    if held.bundle is not None:
        overdue_at = held.bundle.refresh_at + datetime.timedelta(seconds=OVERDUE_SECONDS)
        moments += [held.bundle.refresh_at, overdue_at, held.bundle.not_after]
    return min((one for one in moments if one > now), default=None)


def request(pod: Object, source: Object, account: Object, node: Object, stub: str) -> Object:
    """A PodCertificateRequest; `stub` in base64."""
    meta, spec = pod["metadata"], pod["spec"]
    wanted: dict[str, Any] = {
        "signerName": source.get("signerName"),
        "podName": meta["name"],
        "podUID": meta["uid"],
        "serviceAccountName": spec.get("serviceAccountName") or "",
        "serviceAccountUID": account["metadata"]["uid"],
        "nodeName": node["metadata"]["name"],
        "nodeUID": node["metadata"]["uid"],
        "stubPKCS10Request": stub,
    }
    if source.get("maxExpirationSeconds") is not None:
        wanted["maxExpirationSeconds"] = source["maxExpirationSeconds"]
    if source.get("userAnnotations"):
        wanted["unverifiedUserAnnotations"] = source["userAnnotations"]
    owner = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "PodCertificateRequest",
        "metadata": {"generateName": "req-", "namespace": meta["namespace"], "ownerReferences": [owner]},
        "spec": wanted,
    }
