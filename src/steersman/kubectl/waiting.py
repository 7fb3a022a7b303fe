"""What `kubectl wait --for` waits for: read from the command line, and looked for in an object. Pure.

Source of the rules: kubectl's cmd/wait (condition.go, json.go).
"""

import dataclasses
from typing import TYPE_CHECKING

from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

if TYPE_CHECKING:
    from steersman.kubectl.printers.jsonpath import JsonPath


@dataclasses.dataclass(frozen=True, slots=True)
class Deletion:
    pass


@dataclasses.dataclass(frozen=True, slots=True)
class Creation:
    pass


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    name: str
    status: str = "true"

    def is_met(self, obj: Object) -> bool:
        """Case does not matter; what was said of an older generation does not count."""
        for condition in (obj.get("status") or {}).get("conditions") or []:
            if condition.get("type", "").casefold() != self.name.casefold() or "status" not in condition:
                continue
            generation = (obj.get("metadata") or {}).get("generation")
            observed = condition.get("observedGeneration", (obj.get("status") or {}).get("observedGeneration"))
            if generation is not None and observed is not None and observed < generation:
                return False
            return bool(condition["status"].casefold() == self.status.casefold())
        return False


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """What a JSONPath finds; `text` is None when any value will do."""

    path: "JsonPath"
    text: str | None

    def is_met(self, obj: Object) -> bool:
        """Raises CommandError where the path leads to more than a single value."""
        from steersman.kubectl.printers import go_values
        from steersman.kubectl.printers.jsonpath import JsonPathError

        try:
            groups = self.path.find(obj)
        except JsonPathError as problem:
            raise CommandError(str(problem)) from problem
        if not groups or not groups[0]:
            return False
        if len(groups) > 1:
            raise CommandError("given jsonpath expression matches more than one list")
        if len(groups[0]) > 1:
            raise CommandError("given jsonpath expression matches more than one value")
        if self.text is None:
            return True
        value = groups[0][0]
        if isinstance(value, (dict, list)):
            raise CommandError("jsonpath leads to a nested object or list which is not supported")
        return go_values.show(value).strip() == self.text.strip()


Wish = Deletion | Creation | Condition | Value


def parse(text: str) -> Wish:
    """`delete`, `create`, `condition=NAME[=STATUS]`, `jsonpath=PATH[=VALUE]`. Raises CommandError."""
    match text.lower():
        case "delete":
            return Deletion()
        case "create":
            return Creation()
    if text.startswith("condition="):
        name, equals, status = text.removeprefix("condition=").partition("=")
        return Condition(name, status) if equals else Condition(name)
    if text.startswith("jsonpath="):
        return _value(text.removeprefix("jsonpath="))
    raise CommandError(f'unrecognized condition: "{text}"')


def _value(text: str) -> Value:
    from steersman.kubectl.printers import relaxed_path
    from steersman.kubectl.printers.jsonpath import JsonPath, ParseError

    path, *values = _split(text)
    if len(values) > 1:
        raise CommandError(
            "jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or --for=jsonpath='{.status.readyReplicas}'"
        )
    try:
        path = relaxed_path.relaxed(path)
        if not path:
            raise CommandError("jsonpath expression cannot be empty")
        if not values:
            return Value(JsonPath(path, allow_missing_keys=True), None)
        wanted = values[0].strip("'\"")
        if not wanted:
            raise CommandError(
                "jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3"
            )
        return Value(JsonPath(path, allow_missing_keys=True), wanted)
    except (relaxed_path.PathError, ParseError) as wrong:
        raise CommandError(str(wrong)) from wrong


def _split(text: str) -> list[str]:
    """At every single `=`; a double one belongs to the path."""
    return [part.replace("\0", "==") for part in text.replace("==", "\0").split("=")]
