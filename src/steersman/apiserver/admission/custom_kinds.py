"""CustomResourceDefinitions: the mark of one that is being deleted."""

from steersman.aio import clock as clocks
from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.apiserver.extensions import removal


class CustomKinds(Plugin):
    def __init__(self, clock: clocks.Clock) -> None:
        self._clock = clock

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.CUSTOM_RESOURCE_DEFINITION and operation == "DELETE"

    async def mutate(self, review: Review) -> bool:
        assert review.old is not None
        removal.mark(review.old, self._clock.now())
        return True
