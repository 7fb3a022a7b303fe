"""What every description is made of: lines at a level, columns between tabs, and parts that many kinds share.

Source of all texts in this folder: kubectl's pkg/describe.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from steersman.kubectl.printers import go_values
from steersman.kubectl.printers.tabwriter import TabWriter
from steersman.meta import owners, quantities, selectors, times
from steersman.meta.objects import Object

NONE, UNSET, UNKNOWN = "<none>", "<unset>", "<unknown>"

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_PADDING = 2  # between columns
_VALUE_MAX = 140  # longer annotations get lines of their own, cut off
_ESCAPED = str.maketrans({"\x1b": "^[", "\r": "\\r"})
_ZERO_TIME = "Mon, 01 Jan 0001 00:00:00 +0000"


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What was asked beside the object itself; each kind reads what `asking` found for it.

    `events` is None where none were to be shown. `zone` is where times are told; None is this machine's.
    """

    now: datetime.datetime
    events: Sequence[Object] | None = None
    zone: datetime.tzinfo | None = None
    pods: Sequence[Object] = ()
    pods_error: str = ""
    others: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class Description:
    """Text in the making."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self._parts: list[str] = []

    def write(self, level: int, text: str) -> None:
        """Text as it is, two spaces in for each level."""
        self._parts.append("  " * level + text.translate(_ESCAPED))

    def row(self, level: int, *cells: object) -> None:
        """One line of cells."""
        self.write(level, "\t".join(map(str, cells)) + "\n")

    def text(self) -> str:
        writer = TabWriter(min_width=0, padding=_PADDING)
        writer.write("".join(self._parts))
        return writer.flush()

    def unaligned(self) -> str:
        """With the tabs between its cells."""
        return "".join(self._parts)

    def time(self, text: str | None) -> str:
        """`Sat, 28 Nov 2026 10:05:44 +0000`."""
        if not text:
            return _ZERO_TIME
        return times.parse(text).astimezone(self.seen.zone).strftime("%a, %d %b %Y %H:%M:%S %z")

    def since(self, text: str | None) -> str:
        return times.age(text, self.seen.now)


class Nested(Description):
    """Writes into another description, deeper."""

    def __init__(self, outer: Description, level: int) -> None:
        super().__init__(outer.seen)
        self._parts = outer._parts
        self._level = level

    def write(self, level: int, text: str) -> None:
        super().write(level + self._level, text)


def head(d: Description, obj: Object, *, namespace: bool = True) -> None:
    """Name, namespace, labels and annotations: how most descriptions begin."""
    name(d, obj, namespace=namespace)
    labels(d, "Labels", metadata(obj).get("labels"))
    annotations(d, "Annotations", metadata(obj).get("annotations"))


def name(d: Description, obj: Object, *, namespace: bool = True) -> None:
    d.row(0, "Name:", metadata(obj).get("name", ""))
    if namespace:
        d.row(0, "Namespace:", metadata(obj).get("namespace", ""))


def metadata(obj: Object) -> Object:
    return obj.get("metadata") or {}


def spec(obj: Object) -> Object:
    return obj.get("spec") or {}


def status(obj: Object) -> Object:
    return obj.get("status") or {}


def created(d: Description, obj: Object) -> None:
    d.row(0, "CreationTimestamp:", d.time(metadata(obj).get("creationTimestamp")))


def controlled_by(d: Description, obj: Object) -> None:
    owner = owners.controller_of(obj)
    if owner is not None:
        d.row(0, "Controlled By:", f"{owner.get('kind', '')}/{owner.get('name', '')}")


def listed(d: Description, title: str, lines: Iterable[str], *, level: int = 0) -> None:
    """A title and its lines below each other in the second column."""
    lines = list(lines)
    d.write(level, f"{title}:\t")
    if not lines:
        d.write(0, f"{NONE}\n")
    for at, line in enumerate(lines):
        d.write(level if at else 0, f"\t{line}\n" if at else f"{line}\n")


def labels(d: Description, title: str, pairs: Mapping[str, str] | None, *, indent: str = "") -> None:
    d.write(0, f"{indent}{title}:\t")
    if not pairs:
        d.write(0, f"{NONE}\n")
    for at, (key, value) in enumerate(sorted((pairs or {}).items())):
        if at:
            d.write(0, indent)
            d.write(0, "\t")
        d.write(0, f"{key}={value}\n")


def annotations(d: Description, title: str, pairs: Mapping[str, str] | None) -> None:
    """Long ones and those of several lines below their key, cut off."""
    d.write(0, f"{title}:\t")
    shown = [(key, value) for key, value in sorted((pairs or {}).items()) if key != _LAST_APPLIED]
    if not shown:
        d.write(0, f"{NONE}\n")
    for at, (key, value) in enumerate(shown):
        if at:
            d.write(0, "\t")
        text = value.removesuffix("\n")
        if len(text.encode()) + len(key) + 2 > _VALUE_MAX or "\n" in text:
            d.write(0, f"{key}:\n")
            for line in text.split("\n"):
                d.write(0, f"\t  {_shortened(line)}\n")
        else:
            d.write(0, f"{key}: {text}\n")


def _shortened(line: str) -> str:
    data = line.encode()
    most = _VALUE_MAX - 2
    return line if len(data) <= most else data[:most].decode(errors="replace") + "..."


def pairs_text(pairs: Mapping[str, str] | None) -> str:
    """`a=b,c=d`."""
    return ",".join(f"{key}={value}" for key, value in sorted((pairs or {}).items())) or NONE


def selector_text(selector: Object | None) -> str:
    """A LabelSelector; `<none>` for one that selects everything or nothing."""
    try:
        return str(selectors.from_object(selector)) or NONE
    except selectors.SelectorError:
        return "<error>"


def quantity(value: object) -> str:
    """A quantity in its canonical form; `0` where there is none."""
    return "0" if value is None else quantities.canonical(str(value))


def resource_list(amounts: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    return [(key, quantity(value)) for key, value in sorted((amounts or {}).items())]


def go_list(values: Sequence[Any] | None) -> str:
    """`[a b]`."""
    return go_values.show(list(values or ()))


def yes_no(value: object) -> str:
    return "True" if value else "False"


def flag(value: object) -> str:
    """A boolean as Go prints it."""
    return "true" if value else "false"


def conditions(d: Description, obj: Object, *fields: str) -> None:
    """Type, status and reason of each condition, as workloads show them."""
    found = status(obj).get("conditions") or ()
    if found:
        d.write(0, "Conditions:\n  Type\tStatus\tReason\n")
        d.row(1, "----", "------", "------")
        for one in found:
            d.row(1, f"{one.get('type', '')} ", one.get("status", ""), one.get("reason", ""))


def timed_conditions(d: Description, found: Sequence[Object]) -> None:
    """Conditions of namespaces and service CIDRs, with when they changed."""
    d.write(0, "Conditions:\n")
    d.row(1, "Type", "Status", "LastTransitionTime", "Reason", "Message")
    d.row(1, "----", "------", "------------------", "------", "-------")
    for one in found:
        changed = d.time(one.get("lastTransitionTime"))
        d.row(1, one.get("type", ""), one.get("status", ""), changed, one.get("reason", ""), one.get("message", ""))
