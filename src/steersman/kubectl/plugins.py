"""Verbs that others wrote: `kubectl-foo-bar` on the PATH is `kubectl foo bar`."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence

from steersman.kubectl.streams import Streams

PREFIX = "kubectl"


class FlagsFirst(Exception):
    """Flags stand before what might be a plugin's name."""


def run(line: Sequence[str], environment: Mapping[str, str], streams: Streams, *, at_least: int = 1) -> int | None:
    """The exit code of the plugin that the line names best, by so many words at least; None where there is none.

    Raises FlagsFirst.
    """
    words = []
    for word in line:
        if word.startswith("-"):
            break
        words.append(word.replace("-", "_"))
    if not words and any(not word.startswith("-") for word in line) and line[0] != "--":
        raise FlagsFirst(line[0])
    path = environment.get("PATH", "")
    for count in range(len(words), at_least - 1, -1):
        found = shutil.which(f"{PREFIX}-{'-'.join(words[:count])}", path=path)
        if found is not None:
            streams.flush()
            return _replace(found, line[count:], environment)
    return None


def _replace(program: str, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Be that program: it gets the terminal and the signals."""
    sys.stdout.flush()
    os.execve(program, [program, *arguments], dict(environment))
