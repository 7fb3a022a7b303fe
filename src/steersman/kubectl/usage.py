"""What `kubectl top` prints of the metrics API's answers: lines of pods, containers and nodes, in order. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from steersman.kubectl import go_sort
from steersman.kubectl.printers.tabwriter import TabWriter
from steersman.meta import quantities
from steersman.meta.objects import Object

UNKNOWN = "<unknown>"
SORTS = ("cpu", "memory")

_POD_COLUMNS = ("NAME", "CPU(cores)", "MEMORY(bytes)")
_NODE_COLUMNS = ("NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)")
_LINE = "________"
_MEBI = 1024 * 1024


class Amounts(NamedTuple):
    """In thousandths of a core and bytes."""

    cpu: int
    memory: int

    @classmethod
    def of(cls, usage: Mapping[str, Any] | None) -> "Amounts":
        found = usage or {}
        return cls(quantities.millis(found.get("cpu", "0")), quantities.whole(found.get("memory", "0")))

    def __str__(self) -> str:
        return f"{self.cpu}m\t{self.memory // _MEBI}Mi"


def total(parts: Sequence[Amounts]) -> Amounts:
    return Amounts(sum(one.cpu for one in parts), sum(one.memory for one in parts))


class Options(NamedTuple):
    containers: bool = False
    namespaces: bool = False
    headers: bool = True
    sort_by: str = ""
    sum: bool = False


def pods(metrics: Sequence[Object], options: Options) -> str:
    """A line for each pod or container; nothing where there are none."""
    if not metrics:
        return ""
    writer = TabWriter()
    extra = [word for word, shown in (("NAMESPACE", options.namespaces), ("POD", options.containers)) if shown]
    if options.headers:
        _line(writer, *extra, *_POD_COLUMNS)
    ordered = go_sort.sort(metrics, _order(options, _pod_amounts))
    for pod in ordered:
        metadata = pod.get("metadata") or {}
        before = [metadata.get("namespace", "")] if options.namespaces else []
        if not options.containers:
            _line(writer, *before, metadata.get("name", ""), _pod_amounts(pod))
            continue
        containers = pod.get("containers") or []
        for one in go_sort.sort(containers, _order(options._replace(namespaces=False), _usage)):
            _line(writer, *before, metadata.get("name", ""), one.get("name", ""), _usage(one))
    if options.sum:
        width = len(_POD_COLUMNS) + (len(extra) if options.headers else 0)
        _line(writer, *[""] * (width - 2), _LINE, _LINE)
        _line(writer, *[""] * (width - 2), total([_pod_amounts(pod) for pod in ordered]))
    return writer.flush()


def nodes(metrics: Sequence[Object], available: Mapping[str, Mapping[str, Any]], options: Options) -> str:
    """A line for each node with its share of what is available; last those of which nothing is known."""
    writer = TabWriter()
    if options.headers:
        _line(writer, *_NODE_COLUMNS)
    for node in go_sort.sort(metrics, _order(options, _usage)):
        name = (node.get("metadata") or {}).get("name", "")
        _line(writer, name, *_shares(_usage(node), node.get("usage") or {}, available.get(name) or {}))
    known = {(node.get("metadata") or {}).get("name") for node in metrics}
    for name in sorted(set(available) - known):
        _line(writer, name, *[UNKNOWN] * (len(_NODE_COLUMNS) - 1))
    return writer.flush()


def _shares(amounts: Amounts, usage: Mapping[str, Any], available: Mapping[str, Any]) -> list[str]:
    cells: list[str] = []
    for key, text in zip(SORTS, str(amounts).split("\t"), strict=True):
        cells.append(text)
        if key in available:
            whole = quantities.millis(available[key])
            part = quantities.millis(usage.get(key, "0"))
            cells.append(f"{int(part / whole * 100) if whole else 0}%")
    return cells


def _line(writer: TabWriter, *cells: object) -> None:
    """Every cell ends in a tab, the last one too."""
    writer.write("".join(f"{cell}\t" for cell in cells) + "\n")


def _usage(obj: Object) -> Amounts:
    return Amounts.of(obj.get("usage"))


def _pod_amounts(pod: Object) -> Amounts:
    return total([_usage(one) for one in pod.get("containers") or ()])


def _order(options: Options, amounts: Callable[[Object], Amounts]) -> Callable[[Object, Object], bool]:
    """The greatest first, or by name."""

    def key(obj: Object) -> tuple[Any, ...]:
        if options.sort_by:
            return (-amounts(obj)[SORTS.index(options.sort_by)],)
        metadata = obj.get("metadata") or {}
        return (
            metadata.get("namespace", "") if options.namespaces else "",
            metadata.get("name") or obj.get("name", ""),
        )

    return lambda one, other: key(one) < key(other)
