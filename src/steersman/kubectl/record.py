"""`--record`, which is old but known: the command line becomes the object's annotation of why it changed."""

from typing import TYPE_CHECKING

from steersman.kubectl.flags import BOOL, Flag
from steersman.meta.objects import Object

if TYPE_CHECKING:
    from steersman.kubectl.call import Call

ANNOTATION = "kubernetes.io/change-cause"

FLAG = Flag(
    "record",
    BOOL,
    help="Keep the command line in an annotation of the object.",
    hidden=True,
    deprecated="--record will be removed in the future",
)


def cause(call: "Call") -> str:
    """The command line as kubectl writes it down: verbs, arguments, then flags with their values."""
    words = [call.command, *call.arguments]
    return " ".join([*words, *(f"--{name}={text}" for name, text in call.flags.texts)])


def recorded(call: "Call", obj: Object) -> Object:
    """With the annotation, where it is asked for."""
    if not call.flags.get("record"):
        return obj
    meta = obj.get("metadata") or {}
    annotations = {**(meta.get("annotations") or {}), ANNOTATION: cause(call)}
    return {**obj, "metadata": {**meta, "annotations": annotations}}


def patch(call: "Call") -> Object | None:
    """What is to be sent after a change that others compute."""
    if not call.flags.get("record"):
        return None
    return {"metadata": {"annotations": {ANNOTATION: cause(call)}}}
