"""What verbs that write share: dry runs, validation by the server, field managers, and refusals that say where they come from.

Decisions are pure; `create`, `patch` and `replace` send.
"""

import contextlib
import urllib.parse
from typing import TYPE_CHECKING, Any

from steersman.kubectl import flags_shared, klog
from steersman.kubectl.flags import BOOL, Flag, Values
from steersman.kubectl.problems import CommandError, StatusError
from steersman.meta.objects import Object

if TYPE_CHECKING:
    from steersman.kubectl.builder import Info
    from steersman.kubectl.call import Call

# How a write is meant: for good, only by the server, only here.
NONE, SERVER, CLIENT = "none", "server", "client"

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"

SAVE_CONFIG = Flag(
    "save-config", BOOL, help="Keep the configuration in an annotation of the object, for a later apply to go on from."
)
WINDOWS_LINE_ENDINGS = Flag("windows-line-endings", BOOL, help="Edit with the line ends of Windows.")

_TRUE, _FALSE = (
    frozenset(("1", "t", "T", "true", "TRUE", "True")),
    frozenset(("0", "f", "F", "false", "FALSE", "False")),
)


def dry_run(call: "Call") -> str:
    """How `--dry-run` is meant. Raises CommandError."""
    value = call.flags["dry-run"]
    if value in (NONE, SERVER, CLIENT):
        return str(value)
    if value in _TRUE:
        _log(call, f"--dry-run={value} is deprecated (boolean value) and can be replaced with --dry-run=client.")
        return CLIENT
    if value in _FALSE:
        _log(call, f"--dry-run={value} is deprecated (boolean value) and can be replaced with --dry-run=none.")
        return NONE
    if value == flags_shared.DRY_RUN.bare:
        _log(call, "--dry-run is deprecated and can be replaced with --dry-run=client.")
        return CLIENT
    raise CommandError(f'Invalid dry-run value ({value}). Must be "none", "server", or "client".')


def _log(call: "Call", text: str) -> None:
    """A line of the log, in klog's form."""
    call.write_error(klog.line("W", "helpers.go:731", text, call.clock.now()))


def operation(done: str, how: str) -> str:
    """`created`, `created (dry run)`, `created (server dry run)`."""
    return done + {NONE: "", CLIENT: " (dry run)", SERVER: " (server dry run)"}[how]


def validation(flags: Values) -> str:
    """`fieldValidation` of the API that `--validate` asks for. Raises CommandError."""
    value = flags["validate"]
    if value in _TRUE or value == "strict":
        return "Strict"
    if value in _FALSE or value == "ignore":
        return "Ignore"
    if value == "warn":
        return "Warn"
    raise CommandError(
        f'invalid - validate option "{value}"; must be one of: strict (or true), warn, ignore (or false)'
    )


def with_source(verb: str, source: str, problem: Exception) -> Exception:
    """The refusal, with what was being done to what stands in the file."""
    if not source:
        return problem
    text = f'error when {verb} "{source}": {problem}'
    if isinstance(problem, StatusError):
        return StatusError({**problem.status, "message": text})
    return CommandError(text)


def is_status(problem: Exception, *reasons: str) -> bool:
    return isinstance(problem, StatusError) and problem.reason in reasons


def parameters(how: str, *, manager: str = "", fields: str = "") -> dict[str, str]:
    """Of the query of a write."""
    found = {"fieldManager": manager, "dryRun": "All" if how == SERVER else "", "fieldValidation": fields}
    return {name: value for name, value in found.items() if value}


async def create(call: "Call", info: "Info", obj: Object, query: dict[str, str], subresource: str = "") -> Object:
    """The object as it was made. Raises StatusError."""
    meta = obj.get("metadata") or {}
    if meta.get("resourceVersion"):
        obj = {**obj, "metadata": {key: value for key, value in meta.items() if key != "resourceVersion"}}
    path = info.at(subresource) if subresource else info.resource.path(info.namespace)
    found: Object = await call.ask("POST", path, query, obj)
    return found


async def patch(
    call: "Call", info: "Info", media_type: str, body: Any, query: dict[str, str], subresource: str = ""
) -> Object:
    """The object as it is now. Raises CommandError, StatusError."""
    path = info.at(subresource)
    found: Object = await call.ask("PATCH", path, query, body, content_type=media_type)
    return found


async def replace(
    call: "Call", info: "Info", obj: Object, query: dict[str, str], subresource: str = "", *, overwrite: bool = True
) -> Object:
    """One that says no resourceVersion replaces whatever is there. Raises CommandError, StatusError."""
    path = info.at(subresource)
    meta = obj.get("metadata") or {}
    if overwrite and not meta.get("resourceVersion"):
        with contextlib.suppress(StatusError):  # what is not there may be made by being replaced
            live = await call.ask("GET", path)
            obj = {**obj, "metadata": {**meta, "resourceVersion": live["metadata"].get("resourceVersion", "")}}
    found: Object = await call.ask("PUT", path, query, obj)
    return found


def raw_path(text: str) -> tuple[str, dict[str, Any]]:
    """(path, query) of what `--raw` names. Raises CommandError."""
    if not text.startswith(("/", "http://", "https://")):
        raise CommandError(f'--raw must be a valid URL path: parse "{text}": invalid URI for request')
    parts = urllib.parse.urlsplit(text)
    return parts.path, urllib.parse.parse_qs(parts.query)
