"""Where in an object something is, for messages: a linked list from the innermost name outwards, as text only when asked."""

from typing import Any

# (rest, field) or (rest, index); None is the object itself.
Place = tuple[Any, str | int] | None


def text(place: Place) -> str:
    """`spec.containers[0].image`; "" for the object itself."""
    parts: list[str] = []
    while place is not None:
        rest, name = place
        parts.append(f"[{name}]" if isinstance(name, int) else f".{name}")
        place = rest
    return "".join(reversed(parts)).removeprefix(".")
