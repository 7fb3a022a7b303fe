"""`-o FORMAT` chooses a printer; the others' modules are imported when they are asked for."""

import importlib
from typing import Protocol

from steersman.kubectl.flags import Values
from steersman.kubectl.printers.plain import JsonPrinter, NamePrinter, YamlPrinter
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object


class Printer(Protocol):
    def print(self, obj: Object) -> str:
        """The text of one object (or List), with its line end. Printers may remember what they printed before."""


PLAIN = ("json", "yaml", "name")
TEMPLATES = (
    "go-template",
    "go-template-file",
    "template",
    "templatefile",
    "jsonpath",
    "jsonpath-as-json",
    "jsonpath-file",
)
COLUMNS = ("custom-columns", "custom-columns-file")


def make(
    flags: Values,
    *,
    operation: str = "",
    default: str = "",
    formats: tuple[str, ...] = PLAIN + TEMPLATES,
    keep_order: bool = False,
) -> Printer:
    """The printer for `--output` (with `--template`, `--show-managed-fields`, …). Raises CommandError.

    Without an output format it says in one line what was done: `operation` is "created", "patched", "created (dry run)".
    `formats` are those that the verb takes. `keep_order`: JSON with its keys as Go declares them.
    """
    output = flags.get("output") or default
    name, equals, argument = output.partition("=")
    template = flags.get("template", "")
    if not output and template:
        name, argument = "go-template", ""
    keep = flags.get("show-managed-fields", False)
    if not name and not equals:
        return NamePrinter(operation)
    match name:
        case "json" | "yaml" | "name" if equals:
            raise unknown(output, formats)
        case "name":
            return NamePrinter(operation, short=True)
        case "json":
            if keep_order:
                from steersman.kubectl.printers.typed_json import TypedJsonPrinter

                return TypedJsonPrinter(keep_managed_fields=keep)
            return JsonPrinter(keep_managed_fields=keep)
        case "yaml":
            return YamlPrinter(keep_managed_fields=keep)
    if name not in formats:
        raise unknown(output, formats)
    module = importlib.import_module("steersman.kubectl.printers.templates")
    printer: Printer = module.make(name, argument, flags)
    return printer


def unknown(output: str, formats: tuple[str, ...]) -> CommandError:
    allowed = ",".join(sorted(formats))
    return CommandError(
        f'unable to match a printer suitable for the output format "{output}", allowed formats are: {allowed}'
    )
