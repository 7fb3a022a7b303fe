"""The output formats with a template: where it comes from (the argument, --template, a file), and the printer made of it.

A template is read at once, so that a mistake in it is told before anything is asked of a server.
"""

from typing import TYPE_CHECKING

from steersman.kubectl.flags import Values
from steersman.kubectl.problems import CommandError

if TYPE_CHECKING:
    from steersman.kubectl.printers.choose import Printer

_GO = ("go-template", "go-template-file", "template", "templatefile")
_FILES = ("go-template-file", "templatefile", "jsonpath-file")


class TemplateError(CommandError):
    """`printed` is what had been written when it failed."""

    def __init__(self, text: str, printed: str = "") -> None:
        super().__init__(text)
        self.printed = printed


def make(name: str, argument: str, flags: Values) -> "Printer":
    """The printer of `-o name=argument`. Raises CommandError."""
    text = flags.get("template", "") or argument
    if name.startswith("custom-columns"):
        return _columns(name, text, headers=not flags.get("no-headers", False))
    if not text:
        raise TemplateError("template format specified but no template given")
    if name in _FILES:
        text = _content(text, "error reading --template")
    missing = flags.get("allow-missing-template-keys", True)
    if name in _GO:
        from steersman.kubectl.printers.go_template_printer import GoTemplatePrinter

        return GoTemplatePrinter(text, allow_missing_keys=missing)
    from steersman.kubectl.printers.jsonpath_printer import JsonPathPrinter

    return JsonPathPrinter(text, allow_missing_keys=missing, as_json=name == "jsonpath-as-json")


def _columns(name: str, text: str, *, headers: bool) -> "Printer":
    from steersman.kubectl.printers.custom_columns import CustomColumnsPrinter

    if not text:
        raise TemplateError("custom-columns format specified but no custom columns given")
    if name == "custom-columns-file":
        return CustomColumnsPrinter.from_file(_content(text, "error reading template"))
    return CustomColumnsPrinter.from_argument(text, headers=headers)


def _content(path: str, what: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError as failed:
        why = (failed.strerror or str(failed)).lower()
        raise TemplateError(f"{what} {path}, open {path}: {why}\n") from None
