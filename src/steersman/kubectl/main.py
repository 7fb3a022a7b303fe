"""One command line of kubectl's, from its words to its exit code: the verb, its flags, a plugin, help, or what is wrong.

Leaves to others: what a verb does (`commands`), what is said of a failure (`problems`).
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from steersman.aio.clock import Clock, SystemClock
from steersman.kubectl import flags, flags_shared, problems, verbs
from steersman.kubectl.call import INTERRUPTED, Call
from steersman.kubectl.streams import Streams

# What a shell tells of a process whose reader went away.
BROKEN_PIPE = 141

# Verbs that plugins may extend: `kubectl create foo` may be kubectl-create-foo.
EXTENSIBLE = ("create",)

_GLOBAL = {flag.name: flag for flag in (*flags_shared.GLOBAL, flags_shared.HELP)}


def run(
    arguments: Sequence[str],
    streams: Streams | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    program: str = "kubectl",
    clock: Clock | None = None,
) -> int:
    """The exit code. `program` is what the user typed before `arguments`, for usage texts."""
    streams = streams or Streams.of_process()
    environment = os.environ if environment is None else environment
    try:
        code = _run(arguments, streams, environment, program, clock or SystemClock())
        streams.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return BROKEN_PIPE
    return code


def is_verb(arguments: Sequence[str]) -> bool:
    """Whether the line names a verb of kubectl's."""
    return find_verb(arguments)[0] is not None


def _run(arguments: Sequence[str], streams: Streams, environment: Mapping[str, str], program: str, clock: Clock) -> int:
    verb, rest = find_verb(arguments)
    if verb is None:
        return _without_verb(rest, streams, environment, program)
    command = f"{program} {verb.path}"
    if verb.path in EXTENSIBLE and rest and not rest[0].startswith("-"):
        from steersman.kubectl import plugins

        code = plugins.run([verb.path, *rest], environment, streams, at_least=2)
        if code is not None:
            return code
    if not verb.module:
        from steersman.kubectl import help_pages

        return help_pages.group(verb, rest, streams, program)
    module = verb.load()
    try:
        parsed = _parsed(rest, module)
    except flags.FlagError as wrong:
        hint = getattr(module, "FLAG_HINT", "See '{command} --help' for usage.")
        streams.write_error(f"error: {wrong}\n{hint.format(command=command)}\n")
        return 1
    for warning in parsed.warnings:
        streams.write_error(f"{warning}\n")
    if parsed.values["help"]:
        from steersman.kubectl import help_pages

        streams.write(help_pages.verb_page(verb, module, program))
        return 0
    call = Call(parsed, streams, environment, clock, command=command, program=program)
    return _outcome(module, call)


def _parsed(rest: Sequence[str], module: Any) -> flags.Parsed:
    """A verb with RAW gets its line as it is. Raises FlagError."""
    known = known_flags(module)
    if getattr(module, "RAW", False):
        return flags.Parsed(flags.Values(known), tuple(rest), -1)
    return flags.parse(rest, known, interspersed=getattr(module, "INTERSPERSED", True))


def parsed_leniently(rest: Sequence[str], known: Sequence[flags.Flag]) -> flags.Values:
    """The flags of an unfinished line, as far as it goes."""
    for count in range(len(rest), 0, -1):
        with contextlib.suppress(flags.FlagError):
            return flags.parse(rest[:count], known).values
    return flags.Values(known)


def known_flags(module: Any) -> list[flags.Flag]:
    """The verb's own and the global ones; its own win."""
    own = tuple(module.FLAGS)
    names = {flag.name for flag in own}
    shorts = {flag.short for flag in own if flag.short}
    others = [flag for flag in (*flags_shared.GLOBAL, flags_shared.HELP) if flag.name not in names]
    return [*own, *(flag for flag in others if flag.short not in shorts or not flag.short)]


def find_verb(arguments: Sequence[str]) -> tuple[verbs.Verb | None, list[str]]:
    """The verb, and the line without the words that named it."""
    rest = list(arguments)
    found: verbs.Verb | None = None
    while True:
        words = found.path.split() if found is not None else []
        place = flags.find_argument(rest, _GLOBAL)
        deeper = verbs.find([*words, rest[place]]) if place >= 0 else None
        if deeper is None:
            return found, rest
        found = deeper
        del rest[place]


def _outcome(module: Any, call: Call) -> int:
    """Run the verb; say why it fails."""
    code = 0
    try:
        code = asyncio.run(_carried_out(module, call)) or 0
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        return call.interrupted_code
    except problems.TOLD as error:
        code = call.tell(error)
    if not code and call.flags["warnings-as-errors"] and call.warnings:
        many = len(call.warnings)
        call.write_error(f"error: {many} warning{'s' if many > 1 else ''} received\n")
        code = 1
    return code


async def _carried_out(module: Any, call: Call) -> int | None:
    try:
        code: int | None = await module.run(call)
    finally:
        await call.close()
    return code


def _without_verb(rest: Sequence[str], streams: Streams, environment: Mapping[str, str], program: str) -> int:
    """A plugin, the help page, or a name that nobody has."""
    from steersman.kubectl import help_pages, plugins

    try:
        code = plugins.run(rest, environment, streams)
    except plugins.FlagsFirst as first:
        streams.write_error(f"Error: flags cannot be placed before plugin name: {first}\n")
        return 1
    if code is not None:
        return code
    return help_pages.root(rest, streams, program)


def _silence_stdout() -> None:
    """Python would complain about what it cannot write at its end."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
