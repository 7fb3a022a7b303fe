"""Flags of a command line as kubectl's library (pflag) reads them: which there are, what was given, and its error texts.

Keeps true: `-ojson`, `-o=json`, `-o json`, `-it`, `--watch=false`, `--` and flags after arguments mean what they mean to
kubectl. Pure; what a value means beyond its type is for the verb to say.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from steersman.meta import times

# Types, by pflag's own names.
BOOL, STRING, INT, FLOAT, DURATION = "bool", "string", "int", "float32", "duration"
STRINGS = "stringArray"  # may be given again, each value as it is
LIST = "stringSlice"  # may be given again, commas part values (CSV)
MAP = "stringToString"  # key=value,key=value

_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))


class FlagError(Exception):
    """The command line cannot be read; the text is pflag's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Flag:
    """`bare` is the value of the flag given without one (pflag's NoOptDefVal); bools have "true"."""

    name: str
    kind: str = STRING
    default: Any = None
    short: str = ""
    help: str = ""
    bare: str = ""
    hidden: bool = False
    deprecated: str = ""

    @property
    def needs_value(self) -> bool:
        return self.kind != BOOL and not self.bare

    @property
    def initial(self) -> Any:
        return _INITIAL[self.kind] if self.default is None else self.default

    def __str__(self) -> str:
        return f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"


_INITIAL: Mapping[str, Any] = {
    BOOL: False,
    STRING: "",
    INT: 0,
    FLOAT: 0.0,
    DURATION: 0.0,
    STRINGS: (),
    LIST: (),
    MAP: {},
}


class Values:
    """What each flag is: as given, or its default."""

    def __init__(self, flags: Iterable[Flag]) -> None:
        self.flags = {flag.name: flag for flag in flags}
        self._given: dict[str, Any] = {}
        self.texts: list[tuple[str, str]] = []  # what was given, in its order

    def __getitem__(self, name: str) -> Any:
        return self._given[name] if name in self._given else self.flags[name].initial

    def __contains__(self, name: str) -> bool:
        return name in self.flags

    def get(self, name: str, default: Any = None) -> Any:
        """For shared code: the flag's value where the verb has such a flag."""
        return self[name] if name in self.flags else default

    def changed(self, name: str) -> bool:
        """Whether it was given, be it as its default."""
        return name in self._given

    def set(self, name: str, value: Any) -> None:
        self._given[name] = value

    def give(self, flag: Flag, text: str) -> None:
        """Raises FlagError."""
        self.texts.append((flag.name, text))
        try:
            value = _READ[flag.kind](text)
        except ValueError as wrong:
            raise FlagError(f'invalid argument "{text}" for "{flag}" flag: {wrong}') from wrong
        if flag.kind in (STRINGS, LIST):
            value = (*self._given.get(flag.name, ()), *value)
        elif flag.kind == MAP:
            value = {**self._given.get(flag.name, {}), **value}
        self._given[flag.name] = value


class Parsed(NamedTuple):
    """`before_dash`: how many arguments stood before `--`; -1 without one."""

    values: Values
    arguments: tuple[str, ...]
    before_dash: int
    warnings: tuple[str, ...] = ()


def parse(line: Sequence[str], flags: Iterable[Flag], *, interspersed: bool = True) -> Parsed:
    """Raises FlagError. `interspersed`: flags may follow arguments."""
    values = Values(flags)
    shorts = {flag.short: flag for flag in values.flags.values() if flag.short}
    arguments: list[str] = []
    warnings: list[str] = []
    before_dash = -1
    words = iter(line)
    for word in words:
        if word == "--":
            before_dash = len(arguments)
            arguments.extend(words)
        elif word.startswith("--"):
            _long(word, words, values, warnings)
        elif word.startswith("-") and len(word) > 1:
            _short(word, words, values, shorts, warnings)
        else:
            arguments.append(word)
            if not interspersed:
                arguments.extend(words)
    return Parsed(values, tuple(arguments), before_dash, tuple(warnings))


def find_argument(line: Sequence[str], flags: Mapping[str, Flag]) -> int:
    """The place of the first word that is neither a flag nor, as far as `flags` tell, a flag's value; -1 for none.

    As cobra looks for the name of a command: a flag it does not know is thought to have a value.
    """
    shorts = {flag.short: flag for flag in flags.values() if flag.short}
    skip = False
    for place, word in enumerate(line):
        if skip:
            skip = False
        elif word == "--":
            return -1
        elif word.startswith("--"):
            flag = flags.get(normal(word[2:]))
            skip = "=" not in word and (flag is None or flag.needs_value)
        elif word.startswith("-") and len(word) > 1:
            short = shorts.get(word[1])
            skip = len(word) == 2 and (short is None or short.needs_value)
        elif word:
            return place
    return -1


def normal(name: str) -> str:
    """kubectl takes `--all_namespaces` for `--all-namespaces`."""
    return name.replace("_", "-")


def _long(word: str, words: Iterator[str], values: Values, warnings: list[str]) -> None:
    name, equals, text = word[2:].partition("=")
    if not name or name.startswith("-"):
        raise FlagError(f"bad flag syntax: {word}")
    flag = values.flags.get(normal(name))
    if flag is None:
        raise FlagError(f"unknown flag: --{name}")
    if not equals:
        text = _value(flag, words, f"flag needs an argument: --{name}")
    _give(flag, text, values, warnings)


def _short(word: str, words: Iterator[str], values: Values, shorts: Mapping[str, Flag], warnings: list[str]) -> None:
    letters = word[1:]
    while letters:
        letter, rest = letters[0], letters[1:]
        flag = shorts.get(letter)
        if flag is None:
            raise FlagError(f"unknown shorthand flag: '{letter}' in -{letters}")
        letters = ""
        if len(rest) > 1 and rest[0] == "=":
            text = rest[1:]
        elif not flag.needs_value:
            text, letters = flag.bare or "true", rest
        elif rest:
            text = rest
        else:
            text = _value(flag, words, f"flag needs an argument: '{letter}' in -{letter}")
        _give(flag, text, values, warnings)


def _value(flag: Flag, words: Iterator[str], missing: str) -> str:
    if not flag.needs_value:
        return flag.bare or "true"
    text = next(words, None)
    if text is None:
        raise FlagError(missing)
    return text


def _give(flag: Flag, text: str, values: Values, warnings: list[str]) -> None:
    values.give(flag, text)
    if flag.deprecated:
        warnings.append(f"Flag --{flag.name} has been deprecated, {flag.deprecated}")


def read_bool(text: str) -> bool:
    """Raises ValueError with strconv's text."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def _integer(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f'strconv.ParseFloat: parsing "{text}": invalid syntax') from None


def _duration(text: str) -> float:
    try:
        return times.parse_duration(text)
    except ValueError:
        what = f'missing unit in duration "{text}"' if text.isdecimal() else f'invalid duration "{text}"'
        raise ValueError(f"time: {what}") from None


def _list(text: str) -> tuple[str, ...]:
    if '"' not in text:
        return tuple(text.split(",")) if text else ()
    import csv

    return tuple(next(csv.reader([text], strict=True), ()))


def _map(text: str) -> dict[str, str]:
    found = {}
    for pair in _list(text):
        key, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"{pair} must be formatted as key=value")
        found[key] = value
    return found


_READ: Mapping[str, Callable[[str], Any]] = {
    BOOL: read_bool,
    STRING: str,
    INT: _integer,
    FLOAT: _number,
    DURATION: _duration,
    STRINGS: lambda text: (text,),
    LIST: _list,
    MAP: _map,
}
