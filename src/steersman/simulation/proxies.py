"""The packet rules of a node, in memory."""

from collections.abc import Callable, Mapping
from typing import Any

from steersman.proxy import rule_set, rules


class MemoryRules:
    """A `proxy.nftables.Backend`."""

    def __init__(self) -> None:
        self.elements: dict[rules.Element, str] = {}

    def replace(self, elements: Mapping[rules.Element, str]) -> None:
        self.elements = dict(elements)

    def apply(self, change: rule_set.Change) -> None:
        """Raises OSError, as the kernel does, for a change that does not fit what is there."""
        for element, value in change.removed.items():
            if self.elements.pop(element, None) != value:
                raise OSError(f"no such element: {element} {value}")
        for element, value in change.added.items():
            if element in self.elements:
                raise OSError(f"element exists: {element}")
            self.elements[element] = value


async def at_once(call: Callable[..., None], *arguments: Any) -> None:
    """Instead of a thread: the rules are in memory."""
    call(*arguments)
