"""Semantic versions. Source: apiserver's cel/library/semverlib.go; semver.org."""

import dataclasses
import re
from collections.abc import Callable
from typing import Any, ClassVar

from steersman.api.cel import types
from steersman.api.cel.functions import Functions, member, plain
from steersman.api.cel.types import BOOL, INT, STRING
from steersman.api.cel.values import EvalError

_SEMVER = types.opaque("kubernetes.Semver")
_STRICT = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?",
    re.ASCII,
).fullmatch


@dataclasses.dataclass(frozen=True, slots=True)
class Semver:
    """`release` are major, minor and patch; `pre` what comes before the release. Builds make no difference."""

    TYPE_NAME: ClassVar[str] = "kubernetes.Semver"

    release: tuple[int, int, int]
    pre: tuple[str, ...] = ()

    def order(self) -> tuple[Any, ...]:
        """A release comes after all that come before it; numbers before words."""
        return (
            self.release,
            not self.pre,
            tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.pre),
        )


def parse(text: str, normalize: bool = False) -> Semver:
    found = _STRICT(_normalized(text) if normalize else text)
    if found is None:
        raise EvalError(_why(text))
    return Semver((int(found[1]), int(found[2]), int(found[3])), tuple(found[4].split(".")) if found[4] else ())


def _why(text: str) -> str:
    if text.count(".") < 2:
        return "No Major.Minor.Patch elements found"
    return f'Invalid character(s) found in version "{text}"'


def _normalized(text: str) -> str:
    """Without a leading v, without leading zeroes, and with all three numbers."""
    text = text.removeprefix("v")
    core = re.split("[-+]", text, maxsplit=1)[0]
    parts = [part.lstrip("0") or ("0" if part else "") for part in core.split(".")]
    if len(parts) < 3 and all(parts):
        parts += ["0"] * (3 - len(parts))
    return ".".join(parts) + text[len(core) :]


def _is_semver(text: str, normalize: bool = False) -> bool:
    try:
        parse(text, normalize)
    except EvalError:
        return False
    return True


def _compare(one: Semver, other: Semver) -> int:
    mine, theirs = one.order(), other.order()
    return (mine > theirs) - (mine < theirs)


def _number(name: str, index: int) -> Any:
    return (member(f"semver_{name}", (_SEMVER,), INT, lambda one: one.release[index]),)


def _relation(name: str, result: types.Type, call: Callable[[int], Any]) -> Any:
    return (member(f"semver_{name}", (_SEMVER, _SEMVER), result, lambda one, other: call(_compare(one, other))),)


FUNCTIONS: Functions = {
    "semver": (
        plain("string_to_semver", (STRING,), _SEMVER, parse),
        plain("string_bool_to_semver", (STRING, BOOL), _SEMVER, parse),
    ),
    "isSemver": (
        plain("is_semver_string", (STRING,), BOOL, _is_semver),
        plain("is_semver_string_bool", (STRING, BOOL), BOOL, _is_semver),
    ),
    "major": _number("major", 0),
    "minor": _number("minor", 1),
    "patch": _number("patch", 2),
    "isGreaterThan": _relation("is_greater_than", BOOL, lambda order: order > 0),
    "isLessThan": _relation("is_less_than", BOOL, lambda order: order < 0),
    "compareTo": _relation("compare_to", INT, lambda order: order),
}
