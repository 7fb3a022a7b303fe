"""`-o jsonpath` and `-o jsonpath-as-json`: what a template finds in each object, as text or as JSON arrays."""

from typing import Any

from steersman.kubectl.printers import go_json, go_values
from steersman.kubectl.printers.jsonpath import JsonPath, JsonPathError, ParseError
from steersman.kubectl.printers.templates import TemplateError
from steersman.meta.objects import Object

_INDENT = 4


class JsonPathPrinter:
    def __init__(self, text: str, *, allow_missing_keys: bool = True, as_json: bool = False) -> None:
        """Raises TemplateError."""
        self._text = text
        self._as_json = as_json
        try:
            self._path = JsonPath(text, allow_missing_keys=allow_missing_keys)
        except ParseError as wrong:
            raise TemplateError(f"error parsing jsonpath {text}, {wrong}\n") from None

    def print(self, obj: Object) -> str:
        """Raises TemplateError."""
        try:
            groups = self._path.find(obj)
        except JsonPathError as wrong:
            raise TemplateError(self._explained(obj, wrong)) from None
        if self._as_json:
            return "".join(f"{go_json.dumps(group, _INDENT)}\n" for group in groups)
        return "".join(" ".join(map(_shown, group)) for group in groups)

    def _explained(self, obj: Object, wrong: JsonPathError) -> str:
        return (
            f"error executing jsonpath {go_values.quote(self._text)}: Error executing template: {wrong}."
            f" Printing more information for debugging the template:\n\ttemplate was:\n\t\t{self._text}\n"
            f"\tobject given to jsonpath engine was:\n\t\t{go_values.syntax(obj)}\n\n\n"
        )


def _shown(value: Any) -> str:
    return go_json.dumps(value) if value is None or isinstance(value, dict | list) else go_values.show(value)
