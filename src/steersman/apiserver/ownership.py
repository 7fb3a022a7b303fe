"""metadata.managedFields on the way through a write: taken out before decoding, accounted for, put back.

Keeps true: the entries say who set what; a client that does not know of them loses nothing; through a subresource nobody
writes them. The rules themselves are `api.managed_fields` and `api.patches.apply`.
"""

import datetime
from typing import Any, cast

import orjson

from steersman.aio import clock as clocks
from steersman.api import checks, kinds, schema, strategies
from steersman.api.kind import Kind
from steersman.api.managed_fields import compiling, entries, scale, sets, updating
from steersman.api.managed_fields.entries import Entry
from steersman.api.patches import apply
from steersman.apiserver.call import Call
from steersman.meta import errors, times
from steersman.meta.objects import Object

MANAGED = "managedFields"
UNTRACKED = frozenset(("binding",))  # the server's own writes on behalf of a client
_ENTRY = "io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry"
_STATUS = sets.of(("f:status",))
_KEPT_META = ("deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences")
# By whether the labels are put back too.
_RESET_BY_STATUS = {
    with_labels: sets.of(
        ("f:spec",), *(("f:metadata", f"f:{field}") for field in (*_KEPT_META, *(("labels",) if with_labels else ())))
    )
    for with_labels in (False, True)
}
_SCALE = ("autoscaling", "v1", "Scale")


class Ownership:
    """`types` are the built-in ones; those of custom kinds are made of their schemas on first use."""

    def __init__(self, clock: clocks.Clock, types: schema.Schema) -> None:
        self._clock = clock
        self._types = types
        self._custom: dict[str, tuple[object, compiling.Type]] = {}
        self._now: tuple[datetime.datetime | None, str] = None, ""  # the last time written, and its text

    def created(self, call: Call, obj: Object) -> list[Entry]:
        """The entries of a new object, which has its defaults and nothing of the server's yet."""
        given = obj["metadata"].get(MANAGED)
        by = self._writer(call)
        if given:
            before = self._given(given, [])
            if before:
                return updating.updated(
                    self._type_of(call.kind), {}, _bare(obj), before, by, self._convert_of(call.kind)
                )
        return updating.created(self._type_of(call.kind), _bare(obj), by)

    def updated(self, call: Call, new: Object, old: Object) -> list[Entry]:
        """The entries after a write that is no apply. `new` carries what the client sent as entries, `old` the stored ones."""
        before = of(old)
        given = new["metadata"].get(MANAGED)
        if given is not None and not call.target.subresource and given is not before and given != before:
            before = self._given(given, before)
        if call.target.subresource in UNTRACKED or not before:
            return before
        return updating.updated(
            self._type_of(call.kind), _bare(old), _bare(new), before, self._writer(call), self._convert_of(call.kind)
        )

    def applied(self, call: Call, wanted: Object, old: Object | None) -> tuple[Object, list[Entry]]:
        """The object and its entries after an apply. Raises StatusError 400 or 409."""
        live = _bare(old) if old is not None else {}
        before = of(old) if old is not None else []
        of_type, by = self._type_of(call.kind), self._writer(call)
        return apply.applied(
            of_type, live, wanted, before, by, force=call.flag("force"), convert=self._convert_of(call.kind)
        )

    def scaled(self, call: Call, old: Object, was: Object, now: Object, replicas: sets.Path) -> list[Entry]:
        """The entries of an object whose Scale was written."""
        before = of(old)
        of_scale = updating.updated(
            compiling.of_names(*_SCALE), _bare(was), _bare(now), scale.to_scale(before, replicas), self._writer(call)
        )
        return scale.to_object(before, of_scale, call.kind.api_version, replicas)

    def applied_scale(
        self, call: Call, old: Object, was: Object, wanted: Object, replicas: sets.Path
    ) -> tuple[Object, list[Entry]]:
        """The Scale, and the entries of its object, after an apply to the Scale."""
        before = of(old)
        of_type, by = compiling.of_names(*_SCALE), self._writer(call)
        live = _bare(was)
        new, of_scale = apply.applied(
            of_type, live, wanted, scale.to_scale(before, replicas), by, force=call.flag("force")
        )
        return new, scale.to_object(before, of_scale, call.kind.api_version, replicas)

    def _type_of(self, kind: Kind) -> compiling.Type:
        if kind.custom is None:
            return compiling.of_kind(kind)
        name = f"{kind.api_version} {kind.kind}"
        known, made = self._custom.get(name, (None, None))
        if made is None or known is not kind.custom:
            made = compiling.of_schema(kind.kind, kind.api_version, kind.custom.schema)
            self._custom[name] = kind.custom, made
        return made

    def _convert_of(self, kind: Kind) -> updating.Convert:
        """Entries written in another version of the kind.

        In those of a custom kind the fields are taken to be called the same. That is so without a conversion webhook; asking
        one for every write and version would cost more than it tells.
        """

        def convert(obj: Object, api_version: str) -> tuple[compiling.Type, Object] | None:
            if kind.custom is not None:
                same_group = api_version.partition("/")[0] == kind.group
                return (self._type_of(kind), {**obj, "apiVersion": api_version}) if same_group else None
            other = kinds.BUILTIN.of_object(api_version, kind.kind)
            if other is None or other.stored is not kind.stored:
                return None
            return compiling.of_kind(other), _as_version(obj, kind, other)

        return convert

    def _writer(self, call: Call) -> updating.Writer:
        manager = call.parameter("fieldManager") or entries.manager_of(call.request.headers.get("user-agent", ""))
        now = self._clock.now().replace(microsecond=0)
        if now != self._now[0]:
            self._now = now, times.format_seconds(now)
        return updating.Writer(manager, self._now[1], call.target.subresource, self._reset_fields(call))

    def _reset_fields(self, call: Call) -> sets.Set:
        """What nobody can own by writing this way, because the kind puts it back. Source: GetResetFields of upstream's
        strategies."""
        kind, subresource = call.kind, call.target.subresource
        if subresource == "status":
            if kind.custom is None:
                return _RESET_BY_STATUS[kind.prepare_status in (None, strategies.keep_all_but_status)]
            declared = self._type_of(kind).root.declared
            return sets.of(*((f"f:{field}",) for field in ("spec", *declared) if field != "status"))
        if not subresource and kind.subresource("status") is not None:
            return _STATUS
        return sets.EMPTY

    def _given(self, given: Any, before: list[Entry]) -> list[Entry]:
        """The entries a client sent: its own, none when it resets them, the stored ones where its are of no use."""
        if entries.is_reset(given):
            return []
        self._check_types(given)
        try:
            return entries.read(given) or before
        except entries.Malformed:
            return before

    def _check_types(self, given: Any) -> None:
        check = self._types.check(_ENTRY)
        try:
            for entry in given if isinstance(given, list) else [given]:
                check(entry, None, [])
        except checks.WrongType as wrong:
            raise errors.bad_request(str(wrong)) from wrong


def _as_version(obj: Object, kind: Kind, other: Kind) -> Object:
    """The object, which is one of `kind`, in another version, by way of the stored one. A new object."""
    obj = cast(Object, orjson.loads(orjson.dumps(obj)))
    if kind.storage is not None:
        obj = kind.storage.to(obj)
    return other.storage.back(obj) if other.storage is not None else obj


def of(obj: Object) -> list[Entry]:
    found: list[Entry] = obj["metadata"].get(MANAGED) or []
    return found


def _bare(obj: Object) -> Object:
    meta = obj["metadata"]
    if MANAGED not in meta:
        return obj
    return {**obj, "metadata": {name: value for name, value in meta.items() if name != MANAGED}}


def take_out(obj: Object) -> tuple[Object, Any]:
    """The object without its entries, and the entries as they were sent: decoding would only walk through them."""
    meta = obj.get("metadata")
    if isinstance(meta, dict) and isinstance(meta.get(MANAGED), list):
        return _bare(obj), meta[MANAGED]
    return obj, None


def put(obj: Object, found: list[Entry]) -> None:
    """Set or remove the entries, in place."""
    if found:
        obj["metadata"][MANAGED] = found
    else:
        obj["metadata"].pop(MANAGED, None)


def keep_times(new: Object, old: Object) -> None:
    """A write that changes nothing else does not change a time either, in place."""
    before, after = of(old), of(new)
    if after is before or len(new) != len(old):
        return
    for field, value in new.items():
        if field != "metadata" and value != old.get(field):
            return
    if entries.same_but_times(before, after) and _same_meta(new, old):
        put(new, before)


def _same_meta(new: Object, old: Object) -> bool:
    ignored = (MANAGED, "resourceVersion")
    one, other = new["metadata"], old["metadata"]
    return all(one.get(field) == other.get(field) for field in {*one, *other} if field not in ignored)


def validate_manager(call: Call, options: str) -> None:
    """Raises StatusError 422 for a fieldManager that is too long or not printable."""
    name = call.parameter("fieldManager") if call.parameters else ""
    causes = entries.validate_manager(name) if name else []
    if causes:
        raise errors.invalid(options, "", causes, "meta.k8s.io")
