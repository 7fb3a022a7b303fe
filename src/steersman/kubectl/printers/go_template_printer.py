"""`-o go-template`: a Go template over each object; when it fails, what it was given is printed for whoever debugs it."""

from typing import Any

from steersman.kubectl.printers import go_json, go_values
from steersman.kubectl.printers.go_template.execution import ExecutionError, ParseError, Template
from steersman.kubectl.printers.templates import TemplateError, Write


class GoTemplatePrinter:
    def __init__(self, text: str, *, allow_missing_keys: bool) -> None:
        """Raises TemplateError."""
        self._text = text
        try:
            self._template = Template(text, allow_missing_keys=allow_missing_keys)
        except ParseError as wrong:
            raise TemplateError(f"error parsing template {text}, {wrong}") from None

    def print(self, obj: Any, write: Write) -> None:
        try:
            self._template.execute(obj, write)
        except ExecutionError as wrong:
            write(f"Error executing template: {wrong}. Printing more information for debugging the template:\n")
            write(f"\ttemplate was:\n\t\t{self._text}\n")
            write(f"\traw data was:\n\t\t{go_json.dumps(obj)}\n")
            write(f"\tobject given to template engine was:\n\t\t{go_values.show(obj)}\n\n")
            raise TemplateError(f"error executing template {go_values.quote(self._text)}: {wrong}") from None
