"""Bodies of writes on their way to an object: what a PUT says, and what a patch left alone."""

from collections.abc import Callable

import orjson

from steersman.apiserver.call import Call
from steersman.meta.objects import Object


class Body:
    """What a PUT says. Each try takes a copy of its own, for defaults and admission fill it in place; there is mostly one."""

    def __init__(self, read: Callable[[], Object], call: Call) -> None:
        self._read = read
        self._call = call
        self._first: Object | None = read()

    def take(self) -> Object:
        given, self._first = self._first, None
        if given is None:
            told = len(self._call.warnings)
            given = self._read()
            del self._call.warnings[told:]  # they were told when it was read first
        return given


def untouched(call: Call, applied: Object, old: Object) -> Object:
    """What a patch left as it is stored: clean already. What the kind's strategy puts back in any case is the stored value
    itself, of anything else a copy, for defaults and admission fill it in place."""
    kind, subresource = call.kind, call.target.subresource
    if subresource not in ("", "status") or kind.custom is not None:
        return {}
    has_status = kind.subresource("status") is not None
    found = {}
    for field, value in applied.items():
        if field == "metadata" or value.__class__ is not dict or value is not old.get(field):
            continue
        is_status = field == "status" and has_status
        if subresource:
            if not is_status:
                found[field] = value
        else:
            found[field] = value if is_status else orjson.loads(orjson.dumps(value))
    return found
