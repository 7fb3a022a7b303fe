"""The AdmissionRequest that tells a webhook (and policies, as `request`) of a write. Pure.

Source: admission.k8s.io/v1.
"""

from steersman.api.kind import Kind
from steersman.apiserver import deletion, reviews
from steersman.apiserver.admission.plugin import Review
from steersman.apiserver.call import Call
from steersman.meta.objects import Object

_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions"}
_META = "meta.k8s.io/v1"


def request(review: Review, uid: str, kind: Kind, obj: Object | None, old: Object | None) -> Object:
    """`kind` is the version that `obj` and `old` are in; the request's own may be another one."""
    call = review.call
    sub, name, namespace = call.target.subresource, _name(review), review.namespace
    found: Object = {"uid": uid, "kind": body_kind(kind, sub), "resource": _resource(kind)}
    if sub:
        found["subResource"] = sub
    found |= {"requestKind": body_kind(call.kind, sub), "requestResource": _resource(call.kind)}
    if sub:
        found["requestSubResource"] = sub
    if name:
        found["name"] = name
    if namespace:
        found["namespace"] = namespace
    return found | {
        "operation": review.operation,
        "userInfo": reviews.user_info(call.user),
        "object": obj,
        "oldObject": old,
        "dryRun": review.dry_run,
        "options": options(review),
    }


def body_kind(kind: Kind, subresource: str) -> Object:
    """Group, version and kind of what is sent to a resource or subresource."""
    sub = kind.subresource(subresource) if subresource else None
    if sub is None:
        return {"group": kind.group, "version": kind.version, "kind": kind.kind}
    return {"group": sub.group, "version": sub.version or kind.version, "kind": sub.kind}


def options(review: Review) -> Object | None:
    """What the client said about how to write; CONNECT has none."""
    if review.operation == "CONNECT":
        return None
    if review.delete_options is not None:
        return _delete_options(review.delete_options)
    found: Object = {"kind": _OPTIONS.get(review.operation, "DeleteOptions"), "apiVersion": _META}
    return found | _written(review.call)


def _written(call: Call) -> Object:
    found: Object = {}
    if call.dry_run:
        found["dryRun"] = ["All"]
    for field in ("fieldManager", "fieldValidation"):
        if call.parameter(field):
            found[field] = call.parameter(field)
    return found


def _delete_options(given: deletion.Options) -> Object:
    found: Object = {"kind": "DeleteOptions", "apiVersion": _META}
    if given.grace_seconds is not None:
        found["gracePeriodSeconds"] = given.grace_seconds
    preconditions = {"uid": given.uid, "resourceVersion": given.resource_version}
    if any(preconditions.values()):
        found["preconditions"] = {name: value for name, value in preconditions.items() if value}
    if given.policy:
        found["propagationPolicy"] = given.policy
    if given.dry_run:
        found["dryRun"] = ["All"]
    return found


def _resource(kind: Kind) -> Object:
    return {"group": kind.group, "version": kind.version, "resource": kind.plural}


def _name(review: Review) -> str:
    """That of the URL, or of the object that is created; deletions of a collection name nothing."""
    return review.call.target.name or (review.name if review.operation != "DELETE" else "")
