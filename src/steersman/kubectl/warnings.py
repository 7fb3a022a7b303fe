"""The `Warning` header (RFC 7234) as the API server sends it: `299 - "text", 299 - "another"`. Pure."""

import re

_WARNING = re.compile(r'299 [^ ]+ "((?:[^"\\]|\\.)*)"')


def parse(header: str) -> list[str]:
    """The texts."""
    return [re.sub(r"\\(.)", r"\1", found.group(1)) for found in _WARNING.finditer(header)]
