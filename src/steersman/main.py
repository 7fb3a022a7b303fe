"""The command line's entry: kubectl's verbs (also for whoever calls this program `kubectl`), and Steersman's own commands.

Imports nothing heavy: which of the two it is, the words tell.
"""

import os
import sys
from collections.abc import Sequence

from steersman.aio import garbage
from steersman.kubectl import main as kubectl


def main() -> None:
    program = os.path.basename(sys.argv[0])  # noqa: PTH119 -- pathlib would be the largest import of a `get`
    garbage.look_rarely()
    sys.exit(run(program, sys.argv[1:]))


def run(program: str, arguments: Sequence[str]) -> int:
    """The exit code. `program` is what this one was called, a symlink's name included."""
    if program.removesuffix(".exe").startswith("kubectl"):
        return kubectl.run(arguments)
    if list(arguments) == ["help"]:  # of a verb it is kubectl's
        arguments = ["--help"]
    if kubectl.is_verb(arguments):
        return kubectl.run(arguments, program="steersman")
    from steersman import commands

    commands.main(list(arguments), prog_name="steersman")
    return 0


if __name__ == "__main__":
    main()
