"""create, update, patch, delete and deletecollection: from a decoded body to a transaction of the store.

Order of a write, upstream's: place → defaults → who owns which field → server's metadata → mutating admission → kind's `prepare` →
validation → validating admission → store.
Keeps true: a write is based on the state it replaces (a conflict is retried when the client named no resourceVersion,
else answered 409); a write that changes nothing writes nothing.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import cast

import orjson

from steersman.aio import clock as clocks
from steersman.api import schema, strategies
from steersman.api.kind import Kind
from steersman.api.managed_fields.entries import Entry as Owner
from steersman.apiserver import (
    deletion,
    incoming,
    keys,
    metadata,
    negotiation,
    ownership,
    patching,
    preconditions,
    shapes,
    strictness,
)
from steersman.apiserver.admission import bodies, chain, service_addresses
from steersman.apiserver.admission.plugin import Review
from steersman.apiserver.call import Call
from steersman.meta import errors, names, times
from steersman.meta.objects import Object
from steersman.serving import messages
from steersman.store import contract
from steersman.store.contract import Entry

# These subresources change what an update of the whole pod may not, and check for themselves what they change.
OWN_RULES = frozenset(("binding", "ephemeralcontainers", "resize"))
CONFLICT_RETRIES = 5  # upstream's MaxRetryWhenPatchConflicts: beyond this the client hears of the conflict
OBJECT_BYTES_MAX = 1536 * 1024  # etcd's --max-request-bytes: what is stored here can be stored there
GENERATED_NAME_RETRIES = 8  # upstream's, for a suffix that is taken already

# The new object from the old one; called again on each retry.
Change = Callable[[Object], Object]


@dataclasses.dataclass(frozen=True, slots=True)
class Lens:
    """How admission sees an object that is changed through a subresource with a kind of its own, and what it changes there."""

    of: Callable[[Object], Object]
    into: Callable[[Object, Object], Object]


WHOLE = Lens(lambda obj: obj, lambda obj, seen: seen)


class Writer:
    def __init__(
        self,
        store: contract.Store,
        clock: clocks.Clock,
        types: schema.Schema,
        admission: chain.Chain,
        shaper: shapes.Shaper,
        check_may_create: Callable[[Call], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._types = types
        self._admission = admission
        self._shaper = shaper
        self._check_may_create = check_may_create
        self.ownership = ownership.Ownership(clock, types)

    # --- create ---

    async def create(self, call: Call) -> messages.Response:
        ownership.validate_manager(call, "CreateOptions")
        for _ in range(CONFLICT_RETRIES):
            with contextlib.suppress(service_addresses.NumberTakenError):
                value = await self.create_object(call, self.read(call))
                return self._shaper.one(call, value, 201)
        raise call.conflict()

    def read(self, call: Call) -> Object:
        """The body as a new object. Raises StatusError 400 or 415."""
        obj = negotiation.read_object(call.request)
        return self.decode(call, obj, strictness.duplicates(call, obj))

    def typed(self, call: Call, body: Object) -> Object:
        """A body of the kind that the call's subresource takes. Raises StatusError 400."""
        return bodies.typed(self._types, call, body)

    def decode(
        self, call: Call, obj: Object, duplicates: Sequence[str] = (), refuse: strictness.Refuse | None = None
    ) -> Object:
        """A new object without anything the call's kind does not know. Raises StatusError 400, or what `refuse` makes."""
        obj, owners = ownership.take_out(obj)
        unknown = strictness.decoded(self._types, call, obj, refuse)
        strictness.tell(call, unknown.texts, duplicates, refuse)
        clean = unknown.obj
        if clean is obj:
            clean = cast(Object, orjson.loads(orjson.dumps(obj)))
        if not isinstance(clean.setdefault("metadata", {}), dict):
            raise errors.bad_request("json: cannot unmarshal metadata into Go struct field: it is not an object")
        if owners is not None:
            clean["metadata"][ownership.MANAGED] = owners
        return clean

    async def create_object(self, call: Call, obj: Object, owners: list[Owner] | None = None) -> bytes:
        """The stored bytes of a new object; `obj` is taken over and completed. `owners` are its managed fields where known."""
        kind = call.kind
        if obj["metadata"].get("resourceVersion"):
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        metadata.check_place(call, obj)
        if kind.default is not None:
            kind.default(obj)
        ownership.put(obj, self.ownership.created(call, obj) if owners is None else owners)
        metadata.wipe(obj)
        review = Review(call, "CREATE", obj)
        with review.holds:
            obj = await self._mutated(review)
            generated = self._generate_name(call, obj)
            if generated and kind.default is not None:
                kind.default(obj)  # of a Namespace, whose name is a label too
            metadata.fill_new(kind, obj, uid=self._clock.uid(), now=times.format_seconds(self._clock.now()))
            _prepare(kind, obj, None)
            self._validate(call, obj, None)
            await self._admission.validate(review)
            await self._admission.reserve(review)
            for _ in range(GENERATED_NAME_RETRIES if generated else 1):
                put = self._put(call, obj, expect=0)
                if call.dry_run:
                    return await self._dry_create(call, put)
                try:
                    revision = await self._written(review, put)
                except contract.Mismatch:
                    if generated:
                        self._generate_name(call, obj | {"metadata": _unnamed(obj)}, into=obj)
                        await self._admission.reserve(review)
                    continue
                return b"%b%d%b" % (put.head, revision, put.tail)
            raise errors.already_exists(kind.plural, obj["metadata"]["name"], kind.group)

    def _generate_name(self, call: Call, obj: Object, into: Object | None = None) -> bool:
        meta = obj["metadata"]
        if meta.get("name"):
            return False
        prefix = meta.get("generateName")
        if not prefix:
            why = "Required value: name or generateName is required"
            cause = errors.FieldError("metadata.name", "FieldValueRequired", why)
            raise errors.invalid(call.kind.kind, "", [cause], call.kind.group)
        (into or obj)["metadata"]["name"] = names.generate(prefix, self._clock.suffix())
        return True

    async def _dry_create(self, call: Call, put: contract.Put) -> bytes:
        if await self._store.get(put.key) is not None:
            raise errors.already_exists(call.kind.plural, keys.split(put.key)[1], call.kind.group)
        return put.head.removesuffix(b'"resourceVersion":"') + put.tail.removeprefix(b'",')

    # --- update ---

    async def update(self, call: Call) -> messages.Response:
        """PUT of the object or of its status."""
        ownership.validate_manager(call, "UpdateOptions")
        body = incoming.Body(lambda: self._read_in_place(call), call)
        try:
            return await self.change(call, lambda old: body.take())
        except errors.StatusError as refusal:
            if refusal.code != 404 or not call.kind.creates_on_update or call.target.subresource:
                raise
        return await self._create_by_update(call, body.take())

    def _read_in_place(self, call: Call) -> Object:
        given = self.read(call)
        metadata.check_place(call, given)
        return given

    async def _create_by_update(self, call: Call, obj: Object) -> messages.Response:
        """A PUT of what is not there. Raises StatusError 409 where the client knows it by its uid."""
        uid = obj["metadata"].get("uid")
        if uid:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: "
            raise errors.conflict(call.kind.plural, call.target.name, why, call.kind.group)
        self._check_may_create(call)
        obj["metadata"].pop("resourceVersion", None)
        return self._shaper.one(call, await self.create_object(call, obj), 201)

    async def patch(self, call: Call) -> messages.Response:
        patch = patching.read(call)
        if patch.media_type == patching.APPLY:
            return await self._apply(call, patch.body)
        return await self.change(call, lambda old: self._patched(call, patch, old))

    def _patched(self, call: Call, patch: patching.Patch, old: Object) -> Object:
        applied = patching.apply(call, patch, old)
        is_strategic = patch.media_type == patching.STRATEGIC
        refuse = strictness.of_patch(is_strategic=is_strategic, patch=patch.body, patched=applied)
        kept = incoming.untouched(call, applied, old)
        if not kept:
            new = self.decode(call, applied, patch.duplicates, refuse)
        else:
            part = {field: value for field, value in applied.items() if field not in kept}
            rest = self.decode(call, part, patch.duplicates, refuse)
            new = {field: rest.get(field, kept.get(field)) for field in applied if field in rest or field in kept}
        metadata.check_place(call, new)
        return new

    async def change(self, call: Call, change: Change) -> messages.Response:
        """Write what `change` makes of the current state."""
        return self._shaper.one(call, await self.change_object(call, change))

    async def change_object(
        self, call: Call, change: Change, *, owned: bool = False, lens: Lens | None = WHOLE
    ) -> bytes:
        """`owned`: the change has also settled who owns what. `lens`: what admission is asked about; nothing without one."""
        key = keys.key(call.kind, call.target.namespace, call.target.name)
        for _ in range(CONFLICT_RETRIES):
            entry = await self._store.get(key)
            if entry is None:
                raise call.not_found()
            old = cast(Object, orjson.loads(entry.value))
            new = change(old)
            version = new["metadata"].get("resourceVersion")
            preconditions.check_update(call, new, entry, old)
            try:
                return await self._replace(call, new, old, entry, owned=owned, lens=lens)
            except contract.Mismatch as mismatch:
                if version and call.request.method == "PUT":
                    raise call.conflict() from mismatch
            except service_addresses.NumberTakenError:
                continue
        raise call.conflict()

    # --- apply ---

    async def _apply(self, call: Call, wanted: Object) -> messages.Response:
        """Server-side apply: to what is there, or as a new object. Others may create or delete it meanwhile."""
        key = keys.key(call.kind, call.target.namespace, call.target.name)
        for _ in range(CONFLICT_RETRIES):
            there = bool(call.target.subresource) or await self._store.get(key) is not None
            try:
                if there:
                    value = await self.change_object(call, lambda old: self._applied(call, wanted, old), owned=True)
                    return self._shaper.one(call, value)
                return self._shaper.one(call, await self._create_applied(call, wanted), 201)
            except errors.StatusError as refusal:
                gone = "NotFound" if there and not call.target.subresource else "AlreadyExists"
                if refusal.reason != gone:
                    raise
        raise call.conflict()

    def _applied(self, call: Call, wanted: Object, old: Object) -> Object:
        applied, owners = self.ownership.applied(call, wanted, old)
        new = self.decode(call, applied)
        metadata.check_place(call, new)
        ownership.put(new, owners)
        return new

    async def _create_applied(self, call: Call, wanted: Object) -> bytes:
        applied, owners = self.ownership.applied(call, wanted, None)
        new = self.decode(call, applied)
        metadata.check_place(call, new)
        uid = new["metadata"].get("uid")
        if uid:
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise errors.conflict(call.kind.plural, call.target.name, why, call.kind.group)
        self._check_may_create(call)
        new["metadata"].pop("resourceVersion", None)
        return await self.create_object(call, new, owners)

    # --- every change ---

    async def _replace(
        self, call: Call, new: Object, old: Object, entry: Entry, *, owned: bool, lens: Lens | None
    ) -> bytes:
        kind = call.kind
        metadata.keep_old(new, old)
        sent = None
        if call.target.subresource == "status":
            sent = dict(new)
            _keep_all_but_status(kind, new, old)
        if kind.default is not None:
            kind.default(new)
        if not owned:
            ownership.put(new, self.ownership.updated(call, new, old))
        review = Review(call, "UPDATE", new, old, sent)
        with review.holds:
            if lens is not None:
                new = await self._mutated_through(lens, review)
            if not call.target.subresource:
                _prepare(kind, new, old)
            if call.target.subresource != "binding":  # where a pod runs is no change of what is wanted of it
                metadata.raise_generation(kind, new, old)
            self._validate(call, new, old)
            if lens is not None:
                review.obj = lens.of(new)
                await self._admission.validate(review)
            await self._admission.reserve(review)
            ownership.keep_times(new, old)
            put = self._put(call, new, expect=entry.revision)
            if not entry.stale and _is_stored(put, entry, new, old) and not deletion.is_finished(new):
                return entry.value
            if call.dry_run:
                return b"%b%d%b" % (put.head, entry.revision, put.tail)
            operation: contract.Put | contract.Delete = put
            if deletion.is_finished(new):
                operation = contract.Delete(put.key, put.head, put.tail, entry.revision)
                review = Review(call, "DELETE", None, new)
                await self._admission.reserve(review)
            revision = await self._written(review, operation)
        if isinstance(operation, contract.Delete):
            await self._admission.removed(review)
        return b"%b%d%b" % (put.head, revision, put.tail)

    # --- delete ---

    async def delete(self, call: Call) -> messages.Response:
        options = self.delete_options(call)
        value, removed = await self.delete_object(call, call.target.name, options)
        if removed and call.kind.deletes_to_status:
            return negotiation.respond(
                call.form, deletion.status_of(call.kind, orjson.loads(value)), pretty=call.pretty
            )
        return self._shaper.one(call, value)

    def delete_options(self, call: Call) -> deletion.Options:
        body = negotiation.read_object(call.request) if call.request.body else None
        options = deletion.options_of(body, call.parameters)
        if call.kind.delete_warning and not options.policy:
            call.warnings.append(call.kind.delete_warning)
        return options

    async def delete_object(
        self, call: Call, name: str, options: deletion.Options, *, admitted: bool = False
    ) -> tuple[bytes, bool]:
        """The bytes of the object's last or new state, and whether it is gone. `admitted`: under another name (an eviction)."""
        key = keys.key(call.kind, call.target.namespace, name)
        for _ in range(CONFLICT_RETRIES):
            entry = await self._store.get(key)
            if entry is None:
                raise call.not_found(name)
            obj = cast(Object, orjson.loads(entry.value))
            preconditions.check_delete(call, name, options, obj, entry)
            review = Review(call, "DELETE", None, obj, delete_options=options)
            with review.holds:
                if not admitted:
                    await self._admission.mutate(review)
                    await self._admission.validate(review)
                try:
                    return await self._carry_out(call, obj, entry, options)
                except contract.Mismatch:
                    continue
        raise errors.modified(call.kind.plural, name, call.kind.group)

    async def _carry_out(self, call: Call, obj: Object, entry: Entry, options: deletion.Options) -> tuple[bytes, bool]:
        outcome = deletion.decide(call.kind, obj, options, self._clock.now())
        if isinstance(outcome, deletion.Pending) or options.dry_run:
            return entry.value, isinstance(outcome, deletion.Remove)
        if isinstance(outcome, deletion.Mark):
            put = self._put(call, outcome.obj, expect=entry.revision)
            revision = await self._store.txn([put], self._cause(call))
            return b"%b%d%b" % (put.head, revision, put.tail), False
        head, tail = keys.head(call.kind), keys.tail(outcome.last)
        gone = contract.Delete(entry.key, head, tail, entry.revision)
        review = Review(call, "DELETE", None, outcome.last)
        await self._admission.reserve(review)
        revision = await self._written(review, gone)
        await self._admission.removed(review)
        return b"%b%d%b" % (head, revision, tail), True

    async def delete_collection(self, call: Call, page: contract.Page) -> messages.Response:
        """Delete each of the entries; those that vanish meanwhile are no error. Answers the list of what was there."""
        options = self.delete_options(call)
        for entry in page.entries:
            try:
                await self.delete_object(call, keys.split(entry.key)[1], options)
            except errors.StatusError as refusal:
                if refusal.code != 404:
                    raise
        meta = {"resourceVersion": str(self._store.revision)}
        return self._shaper.many(call, [orjson.loads(entry.value) for entry in page.entries], meta)

    # --- all ---

    async def _mutated(self, review: Review) -> Object:
        """The object as the admission plugins leave it, with its kind's defaults."""
        changed = await self._admission.mutate(review)
        if changed:
            metadata.check_place(review.call, review.new)
            if review.call.kind.default is not None:
                review.call.kind.default(review.new)
        return review.new

    async def _mutated_through(self, lens: Lens, review: Review) -> Object:
        """The same for a change that admission sees as something else than the object itself."""
        if lens is WHOLE:
            return await self._mutated(review)
        new, old = review.new, review.old
        assert old is not None, "a subresource is part of something stored"
        review.obj, review.old = lens.of(new), lens.of(old)
        if await self._admission.mutate(review):
            new = lens.into(new, review.new)
        return new

    def _validate(self, call: Call, new: Object, old: Object | None) -> None:
        causes = metadata.new_finalizers_while_deleting(new, old) if old is not None else []
        if call.kind.validate is not None and call.target.subresource not in OWN_RULES:
            causes += call.kind.validate(new, old)
        if causes:
            raise errors.invalid(call.kind.kind, new["metadata"].get("name", ""), causes, call.kind.group)
        if call.kind.warnings is not None and not call.target.subresource:
            call.warnings += call.kind.warnings(new, old)

    def _put(self, call: Call, obj: Object, expect: int) -> contract.Put:
        meta = obj["metadata"]
        key = keys.key(call.kind, meta.get("namespace", ""), meta["name"])
        try:
            tail = keys.tail(obj)
        except orjson.JSONEncodeError as error:
            raise errors.bad_request(f"json: the object cannot be encoded: {error}") from error
        if len(tail) > OBJECT_BYTES_MAX:
            raise errors.too_large("etcdserver: request is too large")
        return contract.Put(key, keys.head(call.kind), tail, expect, call.kind.ttl_seconds)

    async def _written(self, review: Review, operation: contract.Put | contract.Delete) -> int:
        """The revision of the write and of what admission writes with it. Raises Mismatch about the object itself."""
        for _ in range(CONFLICT_RETRIES):
            try:
                return await self._store.txn([operation, *review.also], self._cause(review.call))
            except contract.Mismatch as mismatch:
                if mismatch.key == operation.key:
                    raise
                await self._admission.reserve(review)
        raise review.call.conflict()

    def _cause(self, call: Call) -> contract.Cause:
        return call.cause(times.format_micros(self._clock.now()))


def _prepare(kind: Kind, new: Object, old: Object | None) -> None:
    if kind.prepare is not None:
        kind.prepare(new, old)
    elif kind.subresource("status") is not None:
        strategies.drop_status(new, old)


def _is_stored(put: contract.Put, entry: Entry, new: Object, old: Object) -> bool:
    """Whether a write would store what is there, in whatever order its fields stand."""
    stored = entry.value[len(put.head) + len(str(entry.revision)) :]
    if len(put.tail) != len(stored) or any(new[field] != old.get(field) for field in new if field != "metadata"):
        return False
    return put.tail == stored or metadata.without_version(new) == metadata.without_version(old)


def _unnamed(obj: Object) -> Object:
    return {name: value for name, value in obj["metadata"].items() if name != "name"}


def _keep_all_but_status(kind: Kind, new: Object, old: Object) -> None:
    """A write to `…/status` changes status, and of the metadata what the kind allows."""
    (kind.prepare_status or strategies.keep_all_but_status)(new, old)
