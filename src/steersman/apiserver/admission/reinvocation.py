"""Who is asked a second time in one write, because another one changed the object after it.

Source: "Reinvocation policy" in Dynamic Admission Control; apiserver's webhook/mutating/reinvocationcontext.go.
"""

import dataclasses
from typing import cast

import orjson

from steersman.apiserver.admission.plugin import Review
from steersman.meta.objects import Object


@dataclasses.dataclass(slots=True)
class Memory:
    """Of one write: who wants to be asked again, and who is to be; what the first round left (`output`)."""

    invoked: set[str] = dataclasses.field(default_factory=set)
    wanted: set[str] = dataclasses.field(default_factory=set)
    output: bytes = b""

    def require_all(self) -> None:
        self.wanted |= self.invoked
        self.invoked = set()


def begin(review: Review, plugin: str) -> Memory:
    """The plugin's memory; in the second round all are wanted again if the plugins between the rounds changed the object."""
    memory = cast(Memory, review.memory.setdefault(plugin, Memory()))
    if review.round and memory.output != encoded(review.obj):
        memory.require_all()
    return memory


def encoded(obj: Object | None) -> bytes:
    return orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)
