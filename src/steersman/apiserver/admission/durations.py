"""How long admission takes, plugin by plugin and step by step, under upstream's names.

Source: apiserver/pkg/admission/metrics. Each write passes here, so that a moment is looked at once for two plugins.
"""

from collections.abc import Iterator

from steersman.aio.clock import Clock
from steersman.aio.durations import Durations
from steersman.meta.exposition import Sample, histogram

BOUNDS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5)
WEBHOOK_BOUNDS = (*BOUNDS, 10.0, 25.0)
_PREFIX = "apiserver_admission_"
_HELP = {
    f"{_PREFIX}controller_admission_duration_seconds": "[STABLE] Admission controller latency histogram in seconds, identified by "
    "name and broken out for each operation and API resource and type (validate or admit).",
    f"{_PREFIX}step_admission_duration_seconds": "[STABLE] Admission sub-step latency histogram in seconds, broken out for each "
    "operation and API resource and step type (validate or admit).",
    f"{_PREFIX}webhook_admission_duration_seconds": "[STABLE] Admission webhook latency histogram in seconds, identified by name "
    "and broken out for each operation and API resource and type (validate or admit).",
}
_CONTROLLER, _STEP, _WEBHOOK = _HELP

Labels = tuple[str, str, str, bool]  # name ("" of a whole step), type, operation, rejected


class AdmissionDurations:
    def __init__(self, clock: Clock) -> None:
        self.now = clock.monotonic
        self._kept: dict[Labels, Durations] = {}

    def passed(self, name: str, type_: str, operation: str, since: float, *, rejected: bool = False) -> float:
        """A plugin was asked; the time is now, which is returned. What has no name at upstream is in its step only."""
        now = self.now()
        if name:
            self._observe((name, type_, operation, rejected), now - since)
        return now

    def ended(self, type_: str, operation: str, since: float, *, rejected: bool) -> None:
        """A whole step."""
        self._observe(("", type_, operation, rejected), self.now() - since)

    def samples(self) -> Iterator[Sample]:
        for family, is_step in ((_CONTROLLER, False), (_STEP, True)):
            for labels, found in self._kept.items():
                if (labels[0] == "") is is_step:
                    yield from histogram(family, _HELP[family], _shown(labels), found)

    def _observe(self, labels: Labels, seconds: float) -> None:
        found = self._kept.get(labels)
        if found is None:
            found = self._kept[labels] = Durations(BOUNDS)
        found.observe(seconds)


class WebhookDurations:
    """Of one plugin of webhooks."""

    def __init__(self) -> None:
        self._kept: dict[Labels, Durations] = {}

    def asked(self, name: str, type_: str, operation: str, seconds: float, *, rejected: bool) -> None:
        self._kept.setdefault((name, type_, operation, rejected), Durations(WEBHOOK_BOUNDS)).observe(seconds)

    def items(self) -> Iterator[tuple[Labels, Durations]]:
        yield from self._kept.items()


def of_webhooks(kept: Iterator[tuple[Labels, Durations]]) -> Iterator[Sample]:
    for labels, found in kept:
        yield from histogram(_WEBHOOK, _HELP[_WEBHOOK], _shown(labels), found)


def _shown(labels: Labels) -> dict[str, str]:
    name, type_, operation, rejected = labels
    shown = {"operation": operation, "rejected": str(rejected).lower(), "type": type_}
    return {"name": name, **shown} if name else shown
