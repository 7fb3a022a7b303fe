"""How CertificateSigningRequests, ClusterTrustBundles and PodCertificateRequests print."""

import datetime
from typing import Any

from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta import times
from steersman.meta.objects import Object

TRUST_BUNDLE_COLUMNS = (cells.NAME, Column("SignerName", field="spec.signerName"))

POD_CERTIFICATE_COLUMNS = (
    cells.NAME,
    Column("PodName", field="spec.podName"),
    Column("ServiceAccountName", field="spec.serviceAccountName"),
    Column("NodeName", field="spec.nodeName"),
    Column("SignerName", field="spec.signerName"),
    Column("State", description="The state of the request: Pending, Issued, Denied or Failed."),
)

REQUEST_COLUMNS = (
    cells.NAME,
    cells.AGE,
    Column("SignerName", field="spec.signerName"),
    Column("Requestor", field="spec.username"),
    Column("RequestedDuration", field="spec.expirationSeconds"),
    Column("Condition", field="status.conditions"),
)

_ENDS = ("Issued", "Denied", "Failed")


def trust_bundle(obj: Object, now: datetime.datetime) -> list[Any]:
    return [cells.name(obj), (obj.get("spec") or {}).get("signerName") or cells.NONE]


def pod_certificate(obj: Object, now: datetime.datetime) -> list[Any]:
    spec, told = obj.get("spec") or {}, (obj.get("status") or {}).get("conditions") or ()
    named = (spec.get(field, "") for field in ("podName", "serviceAccountName", "nodeName", "signerName"))
    state = next((one["type"] for one in told if one.get("type") in _ENDS), "Pending")
    return [cells.name(obj), *named, state]


def request(obj: Object, now: datetime.datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    types = {one.get("type") for one in status.get("conditions") or ()}
    state = "Denied" if "Denied" in types else "Approved" if "Approved" in types else "Pending"
    state += (",Failed" if "Failed" in types else "") + (",Issued" if status.get("certificate") else "")
    seconds = spec.get("expirationSeconds")
    duration = cells.NONE if seconds is None else times.human_duration(seconds)
    names = [spec.get("signerName") or cells.NONE, spec.get("username", "")]
    return [cells.name(obj), cells.age(obj, now), *names, duration, state]
