"""EvictionRequests and Evictions of lifecycle.k8s.io, from their field documentation."""

import re

from steersman.api.validation import fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

_INTENTS = ("Eviction", "Withdrawn")
_is_uuid = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_RESERVED = ("k8s.io", "kubernetes.io")


def validate_eviction_request(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = [*metadata.validate(new, old), *_target(spec)]
    errors += fields.check_one_of("spec.intent", spec.get("intent"), _INTENTS)
    errors += _requester(spec.get("requester", ""))
    if old is not None:
        before = old.get("spec") or {}
        for field in ("target", "requester"):
            errors += fields.check_immutable(f"spec.{field}", spec.get(field), before.get(field))
    return errors


def validate_eviction(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = [*metadata.validate(new, old), *_target(spec)]
    if old is not None:
        errors += fields.check_immutable("spec.target", spec.get("target"), (old.get("spec") or {}).get("target"))
    return errors


def _target(spec: Object) -> list[FieldError]:
    pod = (spec.get("target") or {}).get("pod")
    if pod is None:
        return [fields.required("spec.target", "must specify one of: `pod`")]
    errors = fields.check_name("spec.target.pod.name", pod.get("name"), names.subdomain_errors)
    uid = pod.get("uid", "")
    if not uid:
        return [*errors, fields.required("spec.target.pod.uid")]
    text = "must be a lowercase UUID in 8-4-4-4-12 format"
    return errors if _is_uuid(uid) else [*errors, fields.invalid("spec.target.pod.uid", uid, text)]


def _requester(name: str) -> list[FieldError]:
    if not name:
        return [fields.required("spec.requester")]
    errors = fields.each_invalid("spec.requester", name, names.qualified_name_errors(name))
    if not errors and "/" not in name:
        errors.append(fields.invalid("spec.requester", name, 'must be a domain-prefixed key (such as "acme.io/foo")'))
    domain = name.partition("/")[0]
    if any(domain.endswith(f".{one}") for one in _RESERVED):
        errors.append(fields.invalid("spec.requester", name, "domain names *.k8s.io and *.kubernetes.io are reserved"))
    return errors
