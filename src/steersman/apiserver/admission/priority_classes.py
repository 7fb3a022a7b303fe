"""PriorityClasses: one default at most, and those of the system stay.

Reads: PriorityClasses. Source: upstream's Priority admission plugin and the storage of the kind.
"""

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.api.validation import cluster
from steersman.apiserver import decoded
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.meta import errors


class PriorityClasses(Plugin):
    name = "Priority"

    def __init__(self, objects: decoded.DecodedObjects) -> None:
        self._objects = objects

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.PRIORITY_CLASS

    async def validate(self, review: Review) -> None:
        """Raises StatusError 403."""
        if review.operation == "DELETE":
            if review.name in cluster.SYSTEM_CLASSES:
                raise _forbidden(review, "this is a system priority class and cannot be deleted")
            return
        if not review.new.get("globalDefault"):
            return
        for one in await self._objects.list(kinds.PRIORITY_CLASS):
            name = one["metadata"]["name"]
            if one.get("globalDefault") and name != review.name:
                raise _forbidden(
                    review, f"PriorityClass {name} is already marked as default. Only one default can exist"
                )


def _forbidden(review: Review, why: str) -> errors.StatusError:
    return errors.forbidden("priorityclasses", review.name, why, kinds.PRIORITY_CLASS.group)
