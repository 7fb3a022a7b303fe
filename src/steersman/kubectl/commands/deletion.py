"""Deleting one object, and waiting until it is gone: for delete, replace, apply and others."""

from collections.abc import Sequence

from steersman.kubectl import writes
from steersman.kubectl.builder import Info
from steersman.kubectl.call import Call
from steersman.kubectl.flags import STRING, Flag, Values
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta.objects import Object

AT_ONCE = (
    "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. "
    "The resource may continue to run on the cluster indefinitely.\n"
)
# "For ever", as kubectl understands it.
A_WEEK_SECONDS = 168 * 3600.0
# How often somebody looks whether it is gone, where a watch would be too much.
LOOK_SECONDS = 0.05
LOOK_SECONDS_MAX = 1.0

CASCADE = Flag(
    "cascade",
    STRING,
    "background",
    bare="background",
    help='Must be "background", "orphan", or "foreground": what happens to objects that belong to it, and when.',
)
_PROPAGATION = {"background": "Background", "orphan": "Orphan", "foreground": "Foreground"}
_TRUE, _FALSE = (
    frozenset(("1", "t", "T", "true", "TRUE", "True")),
    frozenset(("0", "f", "F", "false", "FALSE", "False")),
)


class MayNotLook(Exception):
    """The user may delete, but not see whether it is done."""


def cascade(flags: Values) -> str:
    """The API's word for `--cascade`. Raises CommandError."""
    value = flags["cascade"]
    if value in _TRUE:
        return "Background"
    if value in _FALSE:
        return "Orphan"
    if value not in _PROPAGATION:
        raise CommandError(f'invalid cascade value ({value}). Must be "background", "foreground", or "orphan"')
    return _PROPAGATION[value]


def options(propagation: str, grace_seconds: int) -> Object:
    body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
    return body | ({"gracePeriodSeconds": grace_seconds} if grace_seconds >= 0 else {})


async def delete(call: Call, info: Info, propagation: str, grace_seconds: int, how: str = writes.NONE) -> str:
    """Its UID. Raises CommandError, StatusError."""
    body = options(propagation, grace_seconds)
    if how == writes.SERVER:
        body["dryRun"] = ["All"]
    answer = await call.ask("DELETE", info.path, None, body)
    if answer.get("kind") == "Status":
        return str((answer.get("details") or {}).get("uid", ""))
    return str((answer.get("metadata") or {}).get("uid", ""))


async def wait(call: Call, gone: Sequence[tuple[Info, str]], seconds: float) -> None:
    """Until none of them, by its UID, is there. Raises CommandError when the time is over, MayNotLook."""
    deadline = call.clock.monotonic() + seconds
    for info, uid in gone:
        pause = LOOK_SECONDS
        while await _is_there(call, info, uid):
            if call.clock.monotonic() > deadline:
                raise CommandError(f"timed out waiting for the condition on {info.resource.plural}/{info.name}")
            await call.clock.sleep(pause)
            pause = min(pause * 1.5, LOOK_SECONDS_MAX)


async def _is_there(call: Call, info: Info, uid: str) -> bool:
    try:
        found = await call.ask("GET", info.path)
    except StatusError as refused:
        if refused.reason == "NotFound":
            return False
        if refused.reason in ("Forbidden", "MethodNotAllowed"):
            raise MayNotLook from refused
        raise
    now = (found.get("metadata") or {}).get("uid", "")
    return not uid or now == uid
