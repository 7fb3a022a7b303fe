"""Help pages and what is said of words that are no verb: in kubectl's layout."""

from collections.abc import Sequence
from typing import Any

from steersman.kubectl import flags, flags_shared, verbs
from steersman.kubectl.flags import Flag
from steersman.kubectl.streams import Streams
from steersman.kubectl.verbs import Verb

# How different a word may be from what was meant (edits), as cobra's suggestions.
DISTANCE_MAX = 2
# How wide a list of verbs is at the least.
NAMES_MIN = 11


def root(line: Sequence[str], streams: Streams, program: str) -> int:
    """Without any verb: the list of verbs, or what is wrong with the line."""
    try:
        parsed = flags.parse(line, [*flags_shared.GLOBAL, flags_shared.HELP])
    except flags.FlagError as wrong:
        streams.write_error(f"error: {wrong}\nSee '{program} --help' for usage.\n")
        return 1
    if parsed.arguments and not parsed.values["help"]:
        streams.write_error(_unknown(parsed.arguments[0], program))
        return 1
    streams.write(root_page(program))
    return 0


def root_page(program: str) -> str:
    parts = [f"{program} controls Kubernetes clusters.\n"]
    for heading in verbs.GROUPS:
        rows = [verb for verb in verbs.first_words() if verb.group == heading and not verb.hidden]
        if rows:
            parts.append(f"{heading}:\n{_listed(rows)}")
    parts.append(f"Usage:\n  {program} [flags] [options]\n")
    parts.append(_more(program))
    return "\n".join(parts)


# Two groups are not like the others, for no reason that upstream gives.
_ALWAYS_HELPS, _HELPS_ON_STDOUT = "certificate", "rollout"


def group(verb: Verb, line: Sequence[str], streams: Streams, program: str) -> int:
    """A verb that only groups others: their list, or what is wrong with the line."""
    try:
        parsed = flags.parse(line, [*flags_shared.GLOBAL, flags_shared.HELP])
    except flags.FlagError as wrong:
        streams.write_error(f"error: {wrong}\nSee '{program} {verb.path} --help' for usage.\n")
        return 1
    if parsed.values["help"] or verb.path == _ALWAYS_HELPS:
        streams.write(group_page(verb, program))
        return 0
    if parsed.arguments:
        command = f"{program} {verb.path}"
        streams.write_error(
            f"error: unknown command \"{' '.join(parsed.arguments)}\"\nSee '{command} -h' for help and examples\n"
        )
        return 1
    say = streams.write if verb.path == _HELPS_ON_STDOUT else streams.write_error
    say(group_page(verb, program))
    return 1


def page(verb: Verb, program: str) -> str:
    return verb_page(verb, verb.load(), program) if verb.module else group_page(verb, program)


def group_page(verb: Verb, program: str) -> str:
    command = f"{program} {verb.path}"
    below = [one for one in verbs.below(verb.path) if not one.hidden]
    aliases = f"Aliases:\n{', '.join((verb.path.split()[-1], *verb.aliases))}\n\n" if verb.aliases else ""
    return (
        f"{verb.summary}.\n\n{aliases}Available Commands:\n{_listed(below, _width(below))}\n"
        f"Usage:\n  {command} {verb.usage} [options]\n\n{_more(command)}"
        f'Use "{program} options" for a list of global command-line options (applies to all commands).\n'
    )


def verb_page(verb: Verb, module: Any, program: str) -> str:
    command = f"{program} {verb.path}"
    parts = [getattr(module, "HELP", f"{verb.summary}.").strip() + "\n"]
    examples = getattr(module, "EXAMPLES", "").strip().replace("{program}", program)
    if examples:
        lines = "".join(f"  {line}".rstrip() + "\n" for line in examples.splitlines())
        parts.append(f"Examples:\n{lines}")
    below = [one for one in verbs.below(verb.path) if not one.hidden]
    if below:
        parts.append(f"Available Commands:\n{_listed(below, _width(below))}")
    shown = sorted((flag for flag in module.FLAGS if not flag.hidden), key=lambda flag: flag.name)
    if shown:
        parts.append("Options:\n" + "\n".join(map(flag_text, shown)))
    usage = getattr(module, "USAGE", "[flags]")
    parts.append(f"Usage:\n  {command} {usage}{' [options]' if '[options]' not in usage else ''}\n")
    parts.append(f'Use "{program} options" for a list of global command-line options (applies to all commands).\n')
    return "\n".join(parts)


def flag_text(flag: Flag) -> str:
    short = f"-{flag.short}, " if flag.short else ""
    return f"    {short}--{flag.name}={default_text(flag)}:\n\t{flag.help}\n"


def default_text(flag: Flag) -> str:
    value = flag.initial
    match flag.kind:
        case flags.BOOL:
            return "true" if value else "false"
        case flags.STRING:
            return f"'{value}'"
        case flags.STRINGS | flags.LIST:
            return f"[{','.join(value)}]"
        case flags.MAP:
            return "[]"
        case flags.DURATION:
            from steersman.meta import times

            return times.format_duration(value)
    return str(value)


def _width(rows: Sequence[Verb]) -> int:
    return max(NAMES_MIN, *(len(one.path.split()[-1]) for one in rows)) + 2


def _listed(rows: Sequence[Verb], width: int = 15) -> str:
    """`width` is that of the names: of all that stand beside each other, and two more."""
    return "".join(f"  {verb.path.split()[-1]:<{width}} {verb.summary}\n" for verb in rows if not verb.hidden)


def _more(command: str) -> str:
    return f'Use "{command} <command> --help" for more information about a given command.\n'


def _unknown(word: str, program: str) -> str:
    names = [name for verb in verbs.first_words() for name in (verb.path, *verb.aliases) if not verb.hidden]
    near = [name for name in names if _distance(word, name) <= DISTANCE_MAX or name.startswith(word.lower())]
    hint = "".join(f"\t{name}\n" for name in near)
    said = f'error: unknown command "{word}" for "{program}"\n'
    return f"{said}\nDid you mean this?\n{hint}" if hint else said


def _distance(one: str, other: str) -> int:
    """Levenshtein's."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one.lower(), 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(other.lower(), 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]
