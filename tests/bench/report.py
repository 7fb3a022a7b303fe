"""How a figure is printed: beside what upstream reached on such a machine, and what Steersman aims at (DESIGN §9)."""

import dataclasses
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """`better` is "more" (a rate) or "less" (a time, a size). `goal` is a multiple of `upstream`, or without one a value."""

    name: str
    value: float
    unit: str
    upstream: float = 0.0
    goal: float = 0.0
    better: str = "more"
    note: str = ""

    @property
    def ratio(self) -> float:
        """How many times better than upstream; 0 where there is nothing to compare."""
        if not self.upstream or not self.value:
            return 0.0
        return self.value / self.upstream if self.better == "more" else self.upstream / self.value

    @property
    def reached(self) -> str:
        if not self.goal:
            return ""
        if self.upstream:
            return "yes" if self.ratio >= self.goal else "no"
        return "yes" if (self.value >= self.goal) == (self.better == "more") else "no"

    def row(self) -> str:
        upstream = f"{number(self.upstream)} {self.unit}" if self.upstream else "–"
        ratio = f"× {self.ratio:.1f}" if self.ratio else "–"
        goal = (f"× {self.goal:g}" if self.upstream else f"{number(self.goal)} {self.unit}") if self.goal else "–"
        cells = [self.name, f"{number(self.value)} {self.unit}", upstream, ratio, goal, self.reached or "–", self.note]
        return "| " + " | ".join(cells) + " |"


def number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(title: str, figures: Iterable[Figure]) -> str:
    """Markdown, so that it can be pasted into docs/design/performance.md."""
    head = "| measure | Steersman | upstream | ratio | goal | reached | note |\n| --- | --- | --- | --- | --- | --- | --- |"
    return "\n".join([f"## {title}", "", head, *(figure.row() for figure in figures), ""])
