"""JSONPath as `--sort-by` and custom columns take it: with or without braces and the first dot."""

import re

_RELAXED = re.compile(r"\{\.?([^{}]+)\}|\.?([^{}]+)")


class PathError(Exception):
    """The text is no path."""


def relaxed(text: str) -> str:
    """`{.metadata.name}` for `metadata.name`, `.metadata.name`, `{metadata.name}`. Raises PathError."""
    if not text:
        return text
    found = _RELAXED.fullmatch(text)
    if found is None:
        raise PathError(
            "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'"
        )
    return f"{{.{found[1] or found[2]}}}"
