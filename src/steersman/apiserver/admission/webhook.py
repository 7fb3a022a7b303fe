"""One webhook of a configuration: compiled once, called for each write it wants to see.

Source: upstream's apiserver/pkg/admission/plugin/webhook, dispatchers.
"""

from collections.abc import Sequence

from steersman.aio.clock import Clock
from steersman.api.kind import Kind
from steersman.apiserver.admission import matching, requests, responses
from steersman.apiserver.admission.plugin import Review
from steersman.apiserver.webhook_client import Failed, WebhookClient
from steersman.meta import errors
from steersman.meta.objects import Object

NO_SIDE_EFFECTS = frozenset(("None", "NoneOnDryRun"))


class Unanswered(Exception):
    """The webhook did not do its part; what follows from that its failure policy says."""


class Webhook:
    """`place` is its number among all of its kind. `identity` tells it from all others: configuration, name, and a count where
    names repeat."""

    def __init__(self, place: int, configuration: str, index: int, spec: Object, *, mutating: bool) -> None:
        self.name = str(spec["name"])
        self.place = place
        self.configuration = configuration
        self.identity = f"{configuration}/{self.name}/{index}"
        self.criteria = matching.criteria(spec)
        self.conditions: Sequence[Object] = spec.get("matchConditions") or ()
        self.fails_open = spec.get("failurePolicy") == "Ignore"
        self.reinvoked = spec.get("reinvocationPolicy") == "IfNeeded"
        self._mutating = mutating
        self._side_effects = spec.get("sideEffects")
        self._seconds = int(spec.get("timeoutSeconds") or 10)
        self._config: Object = spec.get("clientConfig") or {}
        listed = spec.get("admissionReviewVersions") or ()
        self._version = next((one for one in listed if one in responses.VERSIONS), "")

    async def ask(
        self, review: Review, kind: Kind, obj: Object | None, old: Object | None, client: WebhookClient, clock: Clock
    ) -> responses.Verdict:
        """Raises Unanswered, or StatusError for a dry run that the webhook cannot take part in and for its denial."""
        if review.dry_run and self._side_effects not in NO_SIDE_EFFECTS:
            raise responses.no_dry_run(self.name)
        if not self._version:
            raise Unanswered(
                "could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)"
            )
        uid = clock.uid()
        body = responses.review(requests.request(review, uid, kind, obj, old), self._version)
        try:
            answer = await client.post(self._config, f"timeout={self._seconds}s", body, self._seconds)
        except Failed as why:
            raise Unanswered(f"failed to call webhook: {why}") from why
        try:
            verdict = responses.read(answer, uid, self._version, mutating=self._mutating)
        except responses.Invalid as why:
            raise Unanswered(f"received invalid webhook response: {why}") from why
        review.call.warnings.extend(verdict.warnings)
        if not verdict.allowed:
            raise responses.denial(self.name, verdict.result)
        return verdict

    def failed(self, why: Unanswered) -> errors.StatusError:
        return responses.failed(self.name, str(why))
