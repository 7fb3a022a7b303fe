"""Figures for monitoring, in Prometheus' text form: what is counted, and how it is written out. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from steersman.aio.durations import Durations


class Family(NamedTuple):
    help: str
    buckets: tuple[float, ...] = ()  # of a histogram


Labels = tuple[tuple[str, str], ...]


class Sample(NamedTuple):
    """One line of an exposition; `at_ms` where it is older than the scrape."""

    name: str
    value: float
    labels: Mapping[str, str] = {}
    kind: str = "gauge"
    help: str = ""
    at_ms: int | None = None


class Figures:
    """What is counted and measured, of families by name; labels are those that callers give."""

    def __init__(self, counters: Mapping[str, Family], histograms: Mapping[str, Family]) -> None:
        self._counter_families = counters
        self._histogram_families = histograms
        self._counters: dict[str, dict[Labels, float]] = {}
        self._histograms: dict[str, dict[Labels, Durations]] = {}

    def count(self, name: str, **labels: str) -> None:
        found = self._counters.setdefault(name, {})
        key = tuple(sorted(labels.items()))
        found[key] = found.get(key, 0) + 1

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        family = self._histogram_families[name]
        key = tuple(sorted(labels.items()))
        found = self._histograms.setdefault(name, {}).get(key)
        if found is None:
            found = self._histograms[name][key] = Durations(family.buckets)
        found.observe(seconds)

    def forget(self, name: str, label: str, value: str) -> None:
        """What belonged to something that is gone."""
        for kept in (self._counters.get(name, {}), self._histograms.get(name, {})):
            for key in [key for key in kept if (label, value) in key]:
                del kept[key]

    def samples(self, prefix: str = "") -> Iterator[Sample]:
        """Of the families whose names begin so."""
        for name, family in self._counter_families.items():
            if name.startswith(prefix):
                for key, value in self._counters.get(name, {}).items():
                    yield Sample(name, value, dict(key), "counter", family.help)
        for name, family in self._histogram_families.items():
            if name.startswith(prefix):
                for key, found in self._histograms.get(name, {}).items():
                    yield from histogram(name, family.help, dict(key), found)


def histogram(name: str, text: str, labels: Mapping[str, str], found: Durations) -> Iterator[Sample]:
    running = 0
    for bound, count in zip((*found.bounds, "+Inf"), found.counts, strict=True):
        running += count
        yield Sample(f"{name}_bucket", running, {**labels, "le": str(bound)}, "histogram", text)
    yield Sample(f"{name}_sum", found.total, labels, "histogram", text)
    yield Sample(f"{name}_count", running, labels, "histogram", text)


def text(samples: Iterable[Sample]) -> str:
    """Prometheus' text form; samples of one family have to come together."""
    lines, told = [], ""
    for one in samples:
        family = one.name
        if one.kind == "histogram":
            family = family.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        if family != told:
            told = family
            lines += [f"# HELP {family} {one.help or family}", f"# TYPE {family} {one.kind}"]
        labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in one.labels.items())
        shown = f"{{{labels}}}" if labels else ""
        lines.append(f"{one.name}{shown} {one.value:.17g}" + (f" {one.at_ms}" if one.at_ms is not None else ""))
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
