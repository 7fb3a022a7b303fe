"""What was decided about one object never happens to a later one of the same name.

A decision says which revision it saw: if that was the same key, it was the same uid. A kubelet only finishes deletions that
somebody else asked for.
"""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.meta import objects
from steersman.simulation.history import Change, History, is_of

KUBELET = "system:node:"


def check(history: History, change: Change) -> Iterator[str]:
    before = change.before
    if before is None:
        return
    for seen in history.at_revision(change.cause.because) if change.cause.because else ():
        if seen.key == change.key and objects.uid(seen.either) != objects.uid(before):
            what = "deleted" if change.after is None else "changed"
            yield f"{change.key} was {what} by {change.cause.who}, who meant an earlier one of this name"
    if is_of(change, kinds.POD) and change.cause.verb == "delete" and change.cause.who.startswith(KUBELET):
        ended = change.after is None or objects.is_terminating(change.after)
        if ended and not objects.is_terminating(before):
            yield f"{change.key} was deleted by {change.cause.who}, and nobody had asked for that"
