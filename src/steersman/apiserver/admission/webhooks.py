"""MutatingAdmissionWebhook and ValidatingAdmissionWebhook: every write is shown to the webhooks that want to see it.

Keeps true: without configurations a write costs nothing; mutating webhooks are asked one after the other, in order of their
configurations' names, each sees what those before it made, and those that asked for it are asked once more when a later one
changed something; validating ones are asked at the same time, and all of them are heard.
Reads: webhook configurations, Namespaces.  Writes: nothing.
"""

import asyncio
import dataclasses
import logging
from typing import Protocol, cast

import orjson

from steersman.aio.clock import Clock
from steersman.api.kind import Kind
from steersman.api.patches import json_patch
from steersman.apiserver import decoded, followed
from steersman.apiserver.admission import figures, matching, reinvocation, responses, rules
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.apiserver.admission.webhook import Unanswered, Webhook
from steersman.apiserver.audit import trail
from steersman.apiserver.audit.policy import Level
from steersman.apiserver.webhook_client import WebhookClient
from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.store import contract

log = logging.getLogger(__name__)

CHOICES_MAX = 4096  # kinds, subresources and operations whose webhooks are remembered

Choices = list[tuple[Webhook, Kind]]


class Body(Protocol):
    """Objects as clients send them: types checked, unknown fields dropped, defaults filled in."""

    def __call__(self, review: Review, obj: Object) -> Object: ...


class Conditions(Protocol):
    """Whether the match conditions of a webhook let it see this. Raises StatusError."""

    async def __call__(
        self, webhook: Webhook, review: Review, kind: Kind, obj: Object | None, old: Object | None
    ) -> bool: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What both plugins need."""

    store: contract.Store
    objects: decoded.DecodedObjects
    clock: Clock
    client: WebhookClient
    equivalents: matching.Equivalents
    body: Body
    conditions: Conditions


class Webhooks(Plugin):
    """What the two have in common: who is asked, and with which objects."""

    def __init__(self, parts: Parts, kind: Kind, *, mutating: bool) -> None:
        self._parts = parts
        self._mutating = mutating
        self._matcher = matching.Matcher(parts.objects)
        self._webhooks: list[Webhook] = []
        self._choices: dict[tuple[int, str, str], tuple[Kind, Choices]] = {}
        self.configurations = followed.Followed(parts.store, kind, self._changed)
        self.figures = figures.Figures("admit" if mutating else "validating")

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return not rules.is_exempt(kind)

    def _changed(self) -> None:
        self._choices.clear()
        specs = [
            (str(configuration["metadata"]["name"]), index, spec)
            for configuration in self.configurations.objects
            for index, spec in enumerate(configuration.get("webhooks") or ())
        ]
        self._webhooks = [Webhook(place, *spec, mutating=self._mutating) for place, spec in enumerate(specs)]

    def _choice(self, review: Review) -> Choices:
        """The webhooks whose rules are about this, and the version each wants."""
        kind, sub = review.call.kind, review.call.target.subresource
        key = id(kind), sub, review.operation
        found = self._choices.get(key)
        if found is None:
            if len(self._choices) >= CHOICES_MAX:
                self._choices.clear()
            found = self._choices[key] = (
                kind,
                self._choose(kind, sub, review.operation),
            )  # kept with its kind: ids repeat
        return found[1]

    def _choose(self, kind: Kind, subresource: str, operation: str) -> Choices:
        asked = rules.asked_of(kind, subresource, operation)
        others = self._parts.equivalents.others(kind)
        chosen = []
        for webhook in self._webhooks:
            match = matching.of_rules(webhook.criteria.rules, webhook.criteria.exact, others, kind, asked)
            if match is not None:
                chosen.append((webhook, match.kind))
        return chosen

    async def _asked(
        self, webhook: Webhook, review: Review, obj: Object | None, old: Object | None, kind: Kind
    ) -> responses.Verdict | None:
        """What it says; None where it does not answer and that does not matter. Raises StatusError."""
        began, rejected = self._parts.clock.monotonic(), True
        try:
            verdict = await webhook.ask(review, kind, obj, old, self._parts.client, self._parts.clock)
            rejected = False
        except Unanswered as why:
            rejected = not webhook.fails_open
            self.figures.failed(webhook.name, review, is_ignored=webhook.fails_open)
            if not webhook.fails_open:
                raise webhook.failed(why) from why
            trail.annotate(f"failed-open.{self._place(webhook, review)}", webhook.name)
            log.warning("webhook %s did not answer, and its failure is ignored: %s", webhook.name, why)
            return None
        except errors.StatusError as refusal:
            self.figures.asked(webhook.name, review, refusal.code)
            raise
        finally:
            self.figures.took(webhook.name, review, self._parts.clock.monotonic() - began, rejected=rejected)
        self.figures.asked(webhook.name, review, 200)
        for key, value in verdict.annotations.items():
            trail.annotate(f"{webhook.name}/{key}", value)
        return verdict

    def _place(self, webhook: Webhook, review: Review) -> str:
        """Where what is written down of it stands."""
        kind = "mutation" if self._mutating else "validating"
        return f"{kind}.webhook.admission.k8s.io/round_{review.round}_index_{webhook.place}"

    async def _wants(self, webhook: Webhook, kind: Kind, review: Review, seen: "Versions") -> bool:
        if not await self._matcher.selects(webhook.criteria, review):
            return False
        if not webhook.conditions:
            return True
        obj, old = await seen.of(kind)
        return await self._parts.conditions(webhook, review, kind, obj, old)


class Versions:
    """The objects of a review in the versions that were asked for, each converted once while it stays as it is."""

    def __init__(self, review: Review, equivalents: matching.Equivalents) -> None:
        self._review = review
        self._equivalents = equivalents
        self._seen: dict[int, tuple[Object | None, Object | None]] = {}

    async def of(self, kind: Kind) -> tuple[Object | None, Object | None]:
        """(object, old object). Raises StatusError where a conversion fails."""
        found = self._seen.get(id(kind))
        if found is None:
            obj, old = _with_revision(self._review), self._review.old
            if self.is_converted(kind):
                obj, old = await self._convert(obj, kind), await self._convert(old, kind)
            found = self._seen[id(kind)] = obj, old
        return found

    def is_converted(self, kind: Kind) -> bool:
        """Bodies of subresources with a kind of their own (Scale, Eviction) are the same in all versions."""
        own = self._review.call.kind
        sub = own.subresource(self._review.call.target.subresource)
        return kind is not own and (sub is None or sub.kind == own.kind)

    async def back(self, obj: Object, kind: Kind) -> Object:
        """An object of `kind` in the version of the request."""
        if not self.is_converted(kind):
            return obj
        return await self._equivalents.convert(obj, kind, self._review.call.kind)

    def forget(self) -> None:
        self._seen.clear()

    async def _convert(self, obj: Object | None, kind: Kind) -> Object | None:
        if obj is None:
            return None
        return await self._equivalents.convert(_copy(obj), self._review.call.kind, kind)


class MutatingWebhooks(Webhooks):
    name = "MutatingAdmissionWebhook"

    async def mutate(self, review: Review) -> bool:
        if not self._webhooks:
            return False
        chosen = self._choice(review)
        if not chosen:
            return False
        memory = reinvocation.begin(review, "webhooks")
        seen = Versions(review, self._parts.equivalents)
        changed = False
        for webhook, kind in chosen:
            if not await self._wants(webhook, kind, review, seen):
                continue
            if review.round and webhook.identity not in memory.wanted:
                continue
            this = await self._ask(webhook, kind, review, seen)
            if this:
                memory.require_all()
                review.again = changed = True
            if webhook.reinvoked:
                memory.invoked.add(webhook.identity)
        memory.output = reinvocation.encoded(review.obj)
        return changed

    async def _ask(self, webhook: Webhook, kind: Kind, review: Review, seen: Versions) -> bool:
        """Whether it changed the object."""
        obj, old = await seen.of(kind)
        verdict = await self._asked(webhook, review, obj, old, kind)
        if verdict is None:
            return False
        changed = bool(verdict.patch) and await self._patched(webhook, kind, review, seen, verdict)
        self._write_down(webhook, review, verdict, changed=changed)
        return changed

    async def _patched(
        self, webhook: Webhook, kind: Kind, review: Review, seen: Versions, verdict: responses.Verdict
    ) -> bool:
        obj, _ = await seen.of(kind)
        if obj is None:
            tried = f'admission webhook "{webhook.name}" attempted to modify the object'
            raise errors.internal(f"{tried}, which is not supported for this operation")
        try:
            patched = json_patch.apply(obj, verdict.patch)
        except errors.StatusError as wrong:
            raise errors.internal(str(wrong)) from wrong
        if not isinstance(patched, dict):
            raise errors.internal("json: cannot unmarshal the patched document into an object")
        before = reinvocation.encoded(review.obj)
        review.obj = self._parts.body(review, await seen.back(patched, kind))
        seen.forget()
        return before != reinvocation.encoded(review.obj)

    def _write_down(self, webhook: Webhook, review: Review, verdict: responses.Verdict, *, changed: bool) -> None:
        written = trail.current()
        if written is None:
            return
        place = self._place(webhook, review)
        told = {"configuration": webhook.configuration, "webhook": webhook.name}
        written.annotate(place, orjson.dumps({**told, "mutated": changed}).decode())
        if changed and written.has(Level.Request):
            patch = {**told, "patch": verdict.patch, "patchType": "JSONPatch"}
            written.annotate(place.replace("mutation.", "patch.", 1), orjson.dumps(patch).decode())


class ValidatingWebhooks(Webhooks):
    name = "ValidatingAdmissionWebhook"

    async def validate(self, review: Review) -> None:
        if not self._webhooks:
            return
        chosen = self._choice(review)
        if not chosen:
            return
        seen = Versions(review, self._parts.equivalents)
        wanted = [(webhook, kind) for webhook, kind in chosen if await self._wants(webhook, kind, review, seen)]
        objects = [await seen.of(kind) for _, kind in wanted]
        asking = [
            self._ask(webhook, kind, review, obj, old)
            for (webhook, kind), (obj, old) in zip(wanted, objects, strict=True)
        ]
        refusals = [one for one in await asyncio.gather(*asking) if one is not None]
        if refusals:
            raise refusals[0]

    async def _ask(
        self, webhook: Webhook, kind: Kind, review: Review, obj: Object | None, old: Object | None
    ) -> errors.StatusError | None:
        """Its refusal."""
        try:
            await self._asked(webhook, review, obj, old, kind)
        except errors.StatusError as refusal:
            return refusal
        return None


def _with_revision(review: Review) -> Object | None:
    """The new object; one that replaces another is shown with the revision it replaces."""
    obj, old = review.obj, review.old
    if obj is None or old is None or "resourceVersion" not in old.get("metadata", {}):
        return obj
    return {**obj, "metadata": {"resourceVersion": old["metadata"]["resourceVersion"], **obj["metadata"]}}


def _copy(obj: Object) -> Object:
    return cast(Object, orjson.loads(orjson.dumps(obj)))
