"""Whether the match conditions of a webhook let it see a write."""

from collections.abc import Sequence

from steersman.api.kind import Kind
from steersman.api.policies import evaluation
from steersman.apiserver.admission import expressions
from steersman.apiserver.admission.plugin import Review
from steersman.apiserver.admission.webhook import Webhook
from steersman.apiserver.authorization import Authorizer
from steersman.meta import errors
from steersman.meta.objects import Object

COMPILED_MAX = 1024  # webhooks whose conditions are kept compiled


class MatchConditions:
    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer
        self._compiled: dict[int, tuple[Sequence[Object], evaluation.Conditions]] = {}

    async def __call__(
        self, webhook: Webhook, review: Review, kind: Kind, obj: Object | None, old: Object | None
    ) -> bool:
        """Raises StatusError 403 where that cannot be told and the webhook does not fail open."""
        try:
            return self._of(webhook.conditions).match(expressions.inputs(review, kind, obj, old, self._authorizer))
        except evaluation.Failed as why:
            if webhook.fails_open:
                return False
            own = review.call.kind
            raise errors.forbidden(own.plural, review.name, str(why), own.group) from why

    def _of(self, listed: Sequence[Object]) -> evaluation.Conditions:
        """Kept with the list they are of: ids repeat."""
        kept = self._compiled.get(id(listed))
        if kept is None:
            if len(self._compiled) >= COMPILED_MAX:
                self._compiled.clear()
            kept = self._compiled[id(listed)] = listed, evaluation.Conditions(listed)
        return kept[1]
