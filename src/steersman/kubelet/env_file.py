"""A file of environment variables, as containers leave one for later containers (`fileKeyRef`). Pure.

Lines are `NAME='value'`: the value is literal and may span lines; blanks around `=` and at the end, empty lines and lines that
begin with `#` say nothing. Source: the Kubernetes documentation ("Define Environment Variable Values Using An Init Container").
"""

import re

_ASSIGNMENT = re.compile(r"[ \t]*(?P<name>[^=#\s][^=\n]*?)[ \t]*=[ \t]*'(?P<value>[^']*)'[ \t]*(?:\n|\Z)")
_NOTHING = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")


class Malformed(ValueError):
    """The text names the line."""


def parse(text: str) -> dict[str, str]:
    """The first value of a name counts. Raises Malformed."""
    values: dict[str, str] = {}
    text, position = text.replace("\r\n", "\n"), 0
    while position < len(text):
        found = _NOTHING.match(text, position)
        if found is None:
            found = _ASSIGNMENT.match(text, position)
            if found is None:
                line = text.count("\n", 0, position) + 1
                raise Malformed(f"invalid environment variable format at line {line}: expected NAME='value'")
            values.setdefault(found["name"], found["value"])
        position = found.end()
    return values
