"""`-o go-template`: a Go template over each object; when it fails, what it was given is printed for whoever debugs it."""

from steersman.kubectl.printers import go_json, go_values
from steersman.kubectl.printers.go_template.execution import ExecutionError, ParseError, Template
from steersman.kubectl.printers.templates import TemplateError
from steersman.meta.objects import Object


class GoTemplatePrinter:
    def __init__(self, text: str, *, allow_missing_keys: bool = True) -> None:
        """Raises TemplateError."""
        self._text = text
        try:
            self._template = Template(text, allow_missing_keys=allow_missing_keys)
        except ParseError as wrong:
            raise TemplateError(f"error parsing template {text}, {wrong}\n") from None

    def print(self, obj: Object) -> str:
        """Raises TemplateError."""
        written: list[str] = []
        try:
            self._template.execute(obj, written.append)
        except ExecutionError as wrong:
            written.append(
                f"Error executing template: {wrong}. Printing more information for debugging the template:\n"
                f"\ttemplate was:\n\t\t{self._text}\n"
                f"\traw data was:\n\t\t{go_json.dumps(obj)}\n"
                f"\tobject given to template engine was:\n\t\t{go_values.show(obj)}\n\n"
            )
            said = f"error executing template {go_values.quote(self._text)}: {wrong}"
            raise TemplateError(said, "".join(written)) from None
        return "".join(written)
