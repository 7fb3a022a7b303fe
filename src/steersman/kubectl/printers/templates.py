"""The output formats whose argument is a template: which there are, how each is made and what it prints.

`make` reads the template at once, so that a mistake in it is told before anything is asked of a server.
"""

from collections.abc import Callable
from typing import Any, Protocol

Write = Callable[[str], object]

FORMATS = (
    "jsonpath",
    "jsonpath-as-json",
    "jsonpath-file",
    "go-template",
    "go-template-file",
    "template",
    "templatefile",
)


class TemplateError(Exception):
    """What follows `error: `."""


class Printer(Protocol):
    def print(self, obj: Any, write: Write) -> None:
        """Write one object. Raises TemplateError."""


def make(kind: str, text: str, *, allow_missing_keys: bool) -> Printer:
    """The printer of `-o kind=text`, for the formats whose template stands in the argument. Raises TemplateError."""
    if kind in ("go-template", "template"):
        from steersman.kubectl.printers import go_template_printer

        return go_template_printer.GoTemplatePrinter(text, allow_missing_keys=allow_missing_keys)
    from steersman.kubectl.printers import jsonpath_printer

    return jsonpath_printer.JsonPathPrinter(
        text, allow_missing_keys=allow_missing_keys, as_json=kind == "jsonpath-as-json"
    )
