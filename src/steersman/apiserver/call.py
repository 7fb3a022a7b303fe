"""One API request on its way through the server: what it is about, who asks, and what it asked for in its query."""

import dataclasses
import datetime
from typing import Literal, NamedTuple

from steersman.api.kind import Kind
from steersman.apiserver import negotiation, paths, users
from steersman.meta import errors
from steersman.serving import messages
from steersman.store.contract import Cause

FieldValidation = Literal["Ignore", "Warn", "Strict"]
_FIELD_VALIDATIONS: dict[str, FieldValidation] = {"": "Warn", "Ignore": "Ignore", "Warn": "Warn", "Strict": "Strict"}
_FALSE = frozenset(("0", "false"))


class Moment(NamedTuple):
    """A time, and the newest revision of then."""

    revision: int
    time: datetime.datetime


@dataclasses.dataclass(slots=True)
class Call:
    """`warnings` collect on the way and become Warning headers of the answer.

    `then`: the past is asked about, as it was at that moment.
    """

    request: messages.Request
    target: paths.Target
    user: users.User
    kind: Kind
    parameters: dict[str, list[str]]
    form: negotiation.Form = negotiation.PLAIN
    warnings: list[str] = dataclasses.field(default_factory=list)
    then: Moment | None = None

    @property
    def at_revision(self) -> int:
        """0: now."""
        return self.then.revision if self.then is not None else 0

    def parameter(self, name: str, default: str = "") -> str:
        values = self.parameters.get(name)
        return values[0] if values else default

    def flag(self, name: str) -> bool:
        """A boolean parameter: false where it is absent, `false` or `0`, true for anything else, as upstream has it."""
        values = self.parameters.get(name)
        return values is not None and values[0].lower() not in _FALSE

    def number(self, name: str) -> int | None:
        """An integer parameter; None when absent or empty."""
        text = self.parameter(name)
        if not text:
            return None
        digits = text[1:] if text[0] in "+-" else text
        if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
            raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        return int(text)

    @property
    def pretty(self) -> bool:
        return self.flag("pretty")

    @property
    def dry_run(self) -> bool:
        """Raises StatusError 422 for anything but `All`."""
        if "dryRun" not in self.parameters:
            return False
        values = [value for value in self.parameters["dryRun"] if value]
        check_dry_run(values, "CreateOptions" if self.target.verb == "create" else "UpdateOptions")
        return bool(values)

    @property
    def field_validation(self) -> FieldValidation:
        text = self.parameter("fieldValidation")
        found = _FIELD_VALIDATIONS.get(text)
        if found is None:
            message = f'Unsupported value: "{text}": supported values: "", "Ignore", "Strict", "Warn"'
            raise _options_error(
                "CreateOptions", errors.FieldError("fieldValidation", "FieldValueNotSupported", message)
            )
        return found

    def cause(self, at: str) -> Cause:
        """Why this request writes: who, what, and because of which revision."""
        because = self.request.headers.get("steersman-because", "")
        number = int(because) if because.isascii() and because.isdigit() and len(because) < 19 else 0
        return Cause(self.user.name, self.target.verb, number, at)

    def not_found(self, name: str = "") -> errors.StatusError:
        return errors.not_found(self.kind.plural, name or self.target.name, self.kind.group)

    def conflict(self) -> errors.StatusError:
        return errors.modified(self.kind.plural, self.target.name, self.kind.group)


def check_dry_run(values: list[str], options: str) -> None:
    for value in values:
        if value != "All":
            message = f'Unsupported value: "{value}": supported values: "All"'
            raise _options_error(options, errors.FieldError("dryRun", "FieldValueNotSupported", message))


def _options_error(options: str, error: errors.FieldError) -> errors.StatusError:
    return errors.invalid(options, "", [error], "meta.k8s.io")
