"""An object that a webhook or a policy has changed, read again as if a client had sent it.

Keeps true: what is stored has the types of its kind and its defaults, whoever wrote it; a change that leaves the list of
field owners unreadable loses only that part of itself.
"""

from steersman.api import schema
from steersman.api.kind import Kind
from steersman.api.managed_fields import entries
from steersman.apiserver import ownership
from steersman.apiserver.admission import requests
from steersman.apiserver.admission.plugin import Review
from steersman.apiserver.call import Call
from steersman.meta import errors
from steersman.meta.objects import Object


class Bodies:
    def __init__(self, types: schema.Schema) -> None:
        self._types = types

    def __call__(self, review: Review, obj: Object) -> Object:
        """A new object in the version of the request. Raises StatusError 500: it is not the client who went wrong."""
        kind = _kind(review.call)
        bare, owners = ownership.take_out(obj)
        try:
            clean, _ = self._types.decode(kind, bare, "Ignore")
        except errors.StatusError as wrong:
            raise errors.internal(str(wrong)) from wrong
        clean.setdefault("metadata", {})
        if owners is not None:
            before = ownership.of(review.new)
            ownership.put(clean, owners if owners == before or _is_readable(owners) else before)
        if kind.default is not None:
            kind.default(clean)
        return clean


def typed(types: schema.Schema, call: Call, body: Object) -> Object:
    """The body that was sent to a subresource, of its own kind and in its place. Raises StatusError 400."""
    kind = _kind(call)
    clean, _ = types.decode(kind, {**body, "kind": kind.kind, "apiVersion": kind.api_version}, "Ignore")
    meta = clean.get("metadata") or {}
    clean["metadata"] = {**meta, "name": call.target.name, "namespace": call.target.namespace}
    return clean


def _kind(call: Call) -> Kind:
    """The row, or a bare one for the body of a subresource that has a kind of its own."""
    kind, sub = call.kind, call.target.subresource
    found = requests.body_kind(kind, sub)
    if found["kind"] == kind.kind:
        return kind
    key = found["group"], found["version"], found["kind"], kind.plural
    bare = _bare.get(key)
    if bare is None:
        bare = _bare[key] = Kind(*key, kind.singular, kind.namespaced)
    return bare


_bare: dict[tuple[str, str, str, str], Kind] = {}


def _is_readable(owners: object) -> bool:
    try:
        entries.read(owners)
    except entries.Malformed:
        return False
    return True
