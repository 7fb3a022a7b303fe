"""`kubectl plugin list`: the programs on the PATH that are verbs, and those that can never be called."""

import os
from collections.abc import Iterator
from pathlib import Path

from steersman.kubectl import flags, plugins, verbs
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError

FLAGS = (Flag("name-only", flags.BOOL, help="Print names instead of paths."),)
HELP = "List the programs on the PATH whose names begin with kubectl-."
EXAMPLES = """
{program} plugin list --name-only
"""


async def run(call: Call) -> None:
    found = list(_programs(call))
    if not found:
        raise CommandError("unable to find any kubectl plugins in your PATH")
    call.print("The following compatible plugins are available:\n")
    warned = 0
    seen: dict[str, Path] = {}
    for path in found:
        call.print(path.name if call.flags["name-only"] else str(path))
        for warning in warnings(path, seen):
            call.write_error(f"  - {warning}\n")
            warned += 1
        seen.setdefault(path.name, path)
    if warned:
        raise CommandError(f"{warned} plugin warning{'s were' if warned > 1 else ' was'} found")


def warnings(path: Path, seen: dict[str, Path]) -> Iterator[str]:
    words = path.name.split("-")[1:]
    for count in range(len(words), 0, -1):
        verb = verbs.find(words[:count])
        if verb is not None:
            yield f'warning: {path.name} overwrites existing command: "kubectl {verb.path}"'
            break
    if not os.access(path, os.X_OK):
        yield f"warning: {path} identified as a kubectl plugin, but it is not executable"
    elif path.name in seen:
        yield f"warning: {path} is overshadowed by a similarly named plugin: {seen[path.name]}"


def _programs(call: Call) -> Iterator[Path]:
    folders = dict.fromkeys(filter(None, map(str.strip, call.environment.get("PATH", "").split(os.pathsep))))
    for folder in folders:
        try:
            entries = sorted(Path(folder).iterdir())
        except OSError as problem:
            said = (problem.strerror or "").lower()
            call.write_error(
                f'Unable to read directory "{folder}" from your PATH: open {folder}: {said}. Skipping...\n'
            )
            continue
        for entry in entries:
            if entry.name.startswith(f"{plugins.PREFIX}-") and not entry.is_dir():
                yield entry
