"""Defaults of resource.k8s.io: one device where nothing is said, taints with their time."""

from collections.abc import Iterator

from steersman.meta.objects import Object


def default_claim(claim: Object) -> None:
    _default_spec(claim.setdefault("spec", {}))


def default_template(template: Object) -> None:
    spec = template.setdefault("spec", {})
    spec.setdefault("metadata", {})
    _default_spec(spec.setdefault("spec", {}))


def _default_spec(spec: Object) -> None:
    for request in _requests(spec):
        request["allocationMode"] = request.get("allocationMode") or "ExactCount"
        if request["allocationMode"] == "ExactCount" and not request.get("count"):
            request["count"] = 1
        for toleration in request.get("tolerations") or ():
            toleration["operator"] = toleration.get("operator") or "Equal"


def _requests(spec: Object) -> Iterator[Object]:
    for request in (spec.get("devices") or {}).get("requests") or ():
        if isinstance(request.get("exactly"), dict):
            yield request["exactly"]
        elif "deviceClassName" in request:
            yield request  # of v1beta1
        yield from request.get("firstAvailable") or ()
