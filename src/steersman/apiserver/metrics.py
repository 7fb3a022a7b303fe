"""Counters and durations under upstream's names, cheap enough for every request.

Hand-kept sums instead of a metrics library on the hot path: one dictionary look-up and a bisection per request.
"""

import bisect

from steersman.serving import messages

# Upstream's buckets of apiserver_request_duration_seconds.
BUCKETS = (
    0.005,
    0.025,
    0.05,
    0.1,
    0.2,
    0.4,
    0.6,
    0.8,
    1.0,
    1.25,
    1.5,
    2.0,
    3.0,
    4.0,
    5.0,
    6.0,
    8.0,
    10.0,
    15.0,
    20.0,
    30.0,
    45.0,
    60.0,
)

Labels = tuple[str, str, str, str, str, str]  # verb, group, version, resource, subresource, scope


class Metrics:
    def __init__(self) -> None:
        self._totals: dict[tuple[Labels, int], int] = {}
        self._durations: dict[Labels, tuple[list[int], list[float]]] = {}
        self.inflight = {"readOnly": 0, "mutating": 0}
        self._gauges: dict[str, int] = {}

    def count(self, labels: Labels, code: int, seconds: float) -> None:
        key = (labels, code)
        self._totals[key] = self._totals.get(key, 0) + 1
        found = self._durations.get(labels)
        if found is None:
            found = self._durations[labels] = ([0] * (len(BUCKETS) + 1), [0.0])
        found[0][bisect.bisect_left(BUCKETS, seconds)] += 1
        found[1][0] += seconds

    def answer(self, gauges: dict[str, int]) -> messages.Response:
        """The exposition; `gauges` are further `name{labels}` → value lines of this moment."""
        lines = [
            "# HELP apiserver_request_total Counter of apiserver requests",
            "# TYPE apiserver_request_total counter",
        ]
        for (labels, code), total in self._totals.items():
            lines.append(f'apiserver_request_total{{code="{code}",{_text(labels)}}} {total}')
        name = "apiserver_request_duration_seconds"
        lines += [f"# HELP {name} Response latency distribution in seconds", f"# TYPE {name} histogram"]
        for labels, (counts, total_seconds) in self._durations.items():
            running = 0
            for bound, count in zip((*BUCKETS, "+Inf"), counts, strict=True):
                running += count
                lines.append(f'{name}_bucket{{{_text(labels)},le="{bound}"}} {running}')
            lines.append(f"{name}_sum{{{_text(labels)}}} {total_seconds[0]}")
            lines.append(f"{name}_count{{{_text(labels)}}} {running}")
        lines += [
            "# HELP apiserver_current_inflight_requests Requests being worked on",
            "# TYPE apiserver_current_inflight_requests gauge",
        ]
        for kind, running in self.inflight.items():
            lines.append(f'apiserver_current_inflight_requests{{request_kind="{kind}"}} {running}')
        for key, value in gauges.items():
            lines += [f"# TYPE {key.partition('{')[0]} gauge", f"{key} {value}"]
        text = "\n".join(lines) + "\n"
        return messages.Response(200, {"content-type": "text/plain; version=0.0.4; charset=utf-8"}, text.encode())


def _text(labels: Labels) -> str:
    verb, group, version, resource, subresource, scope = labels
    return (
        f'component="apiserver",dry_run="",group="{group}",resource="{resource}",scope="{scope}",'
        f'subresource="{subresource}",verb="{verb}",version="{version}"'
    )
