"""Counters and durations under upstream's names, cheap enough for every request.

Hand-kept sums instead of a metrics library on the hot path: one dictionary look-up and a bisection per request.
"""

import bisect
import dataclasses
from collections.abc import Iterable

from steersman.apiserver import paths
from steersman.meta import exposition
from steersman.meta.exposition import Sample
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

Labels = tuple[str, str, str, str, str, str, str]  # verb, group, version, resource, subresource, scope, dry run

_VERBS = {"create": "POST", "update": "PUT"}
_CONNECT = frozenset(("attach", "exec", "portforward", "proxy"))

_HELP = {
    "apiserver_request_total": "[STABLE] Counter of apiserver requests broken out for each verb, dry run value, group, version, "
    "resource, scope, component, and HTTP response code.",
    "apiserver_request_duration_seconds": "[STABLE] Response latency distribution in seconds for each verb, dry run value, group, "
    "version, resource, subresource, scope and component.",
    "apiserver_current_inflight_requests": "[STABLE] Maximal number of currently used inflight request limit of this apiserver "
    "per request kind in last second.",
    "apiserver_longrunning_requests": "[STABLE] Gauge of all active long-running apiserver requests broken out by verb, group, "
    "version, resource, scope and component. Not all requests are tracked this way.",
    "apiserver_requested_deprecated_apis": "[STABLE] Gauge of deprecated APIs that have been requested, broken out by API group, "
    "version, resource, subresource, and removed_release.",
    "aggregator_unavailable_apiservice": "[ALPHA] Gauge of APIServices which are marked as unavailable broken "
    "down by APIService name.",
    "apiserver_admission_webhook_fail_open_count": "[ALPHA] Admission webhook fail open count, identified by "
    "name and broken out for each admission type (validating or admit).",
    "apiserver_admission_webhook_rejection_count": "[ALPHA] Admission webhook rejection count, identified by "
    "name and broken out for each admission type (validating or admit) and operation.",
    "apiserver_admission_webhook_request_total": "[ALPHA] Admission webhook request total, identified by name "
    "and broken out for each admission type (validating or admit) and operation.",
    "apiserver_flowcontrol_current_executing_requests": "[BETA] Number of requests in initial (for a WATCH) or any "
    "(for a non-WATCH) execution stage in the API Priority and Fairness subsystem.",
    "apiserver_flowcontrol_current_executing_seats": "[BETA] Concurrency (number of seats) occupied by the currently "
    "executing requests in the API Priority and Fairness subsystem.",
    "apiserver_flowcontrol_current_inqueue_requests": "[BETA] Number of requests currently pending in queues of the "
    "API Priority and Fairness subsystem.",
    "apiserver_flowcontrol_current_inqueue_seats": "[ALPHA] Number of seats currently pending in queues of the API "
    "Priority and Fairness subsystem.",
    "apiserver_flowcontrol_current_limit_seats": "[ALPHA] current derived number of execution seats available to each "
    "priority level.",
    "apiserver_flowcontrol_demand_seats_high_watermark": "[ALPHA] High watermark, over last adjustment period, of "
    "demand_seats.",
    "apiserver_flowcontrol_dispatched_requests_total": "[BETA] Number of requests executed by API Priority and "
    "Fairness subsystem.",
    "apiserver_flowcontrol_lower_limit_seats": "[ALPHA] Configured lower bound on number of execution seats available "
    "to each priority level.",
    "apiserver_flowcontrol_nominal_limit_seats": "[BETA] Nominal number of execution seats configured for each "
    "priority level.",
    "apiserver_flowcontrol_rejected_requests_total": "[BETA] Number of requests rejected by API Priority and Fairness "
    "subsystem.",
    "apiserver_flowcontrol_request_concurrency_limit": "[ALPHA] Nominal number of execution seats configured for each "
    "priority level.",
    "apiserver_flowcontrol_upper_limit_seats": "[ALPHA] Configured upper bound on number of execution seats available "
    "to each priority level.",
    "apiserver_storage_objects": "[STABLE] Number of stored objects at the time of last check split by kind.",
    "apiserver_resource_objects": "[BETA] Number of stored objects at the time of last check split by kind.",
    "etcd_revision": "Revision of the store.",
    "kubernetes_build_info": "[ALPHA] A metric with a constant '1' value labeled by build details.",
    "process_cpu_seconds_total": "Total user and system CPU time spent in seconds.",
    "process_open_fds": "Number of open file descriptors.",
    "process_resident_memory_bytes": "Resident memory size in bytes.",
    "process_start_time_seconds": "Start time of the process since unix epoch in seconds.",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Gauge:
    """One line of the exposition. `labels` are written out."""

    name: str
    value: float
    labels: str = ""
    type: str = "gauge"


def verb_of(request: messages.Request, target: paths.Target) -> str:
    """As upstream reports it: POST for create, APPLY for an apply patch, CONNECT for what is passed on."""
    if target.subresource in _CONNECT:
        return "CONNECT"
    if target.verb == "list" and "watch=" in request.query:
        return "WATCH"
    if target.verb == "patch" and request.headers.get("content-type", "").startswith("application/apply-patch"):
        return "APPLY"
    return _VERBS.get(target.verb) or target.verb.upper()


class Metrics:
    """`deprecated` are the deprecated versions asked for: (group, version, resource, subresource, release without it)."""

    def __init__(self) -> None:
        self._totals: dict[tuple[Labels, int], int] = {}
        self._durations: dict[Labels, tuple[list[int], list[float]]] = {}
        self.inflight = {"readOnly": 0, "mutating": 0}
        self.deprecated: set[tuple[str, str, str, str, str]] = set()

    def count(self, labels: Labels, code: int, seconds: float) -> None:
        key = (labels, code)
        self._totals[key] = self._totals.get(key, 0) + 1
        found = self._durations.get(labels)
        if found is None:
            found = self._durations[labels] = ([0] * (len(BUCKETS) + 1), [0.0])
        found[0][bisect.bisect_left(BUCKETS, seconds)] += 1
        found[1][0] += seconds

    def answer(self, gauges: Iterable[Gauge], samples: Iterable[Sample] = ()) -> messages.Response:
        """The exposition, with further measures of this moment."""
        lines = _head("apiserver_request_total", "counter")
        for (labels, code), total in self._totals.items():
            lines.append(f'apiserver_request_total{{code="{code}",{_text(labels)}}} {total}')
        lines += self._duration_lines()
        own = [
            Gauge("apiserver_current_inflight_requests", count, f'request_kind="{kind}"')
            for kind, count in self.inflight.items()
        ]
        for one in sorted(self.deprecated):
            names = ("group", "version", "resource", "subresource", "removed_release")
            text = ",".join(f'{name}="{value}"' for name, value in zip(names, one, strict=True))
            own.append(Gauge("apiserver_requested_deprecated_apis", 1, text))
        told: set[str] = set()
        for gauge in (*own, *gauges):
            if gauge.name not in told:
                told.add(gauge.name)
                lines += _head(gauge.name, gauge.type)
            lines.append(
                f"{gauge.name}{{{gauge.labels}}} {gauge.value}" if gauge.labels else f"{gauge.name} {gauge.value}"
            )
        text = "\n".join(lines) + "\n" + exposition.text(samples)
        return messages.Response(200, {"content-type": "text/plain; version=0.0.4; charset=utf-8"}, text.encode())

    def _duration_lines(self) -> list[str]:
        name = "apiserver_request_duration_seconds"
        lines = _head(name, "histogram")
        for labels, (counts, total_seconds) in self._durations.items():
            running = 0
            for bound, count in zip((*BUCKETS, "+Inf"), counts, strict=True):
                running += count
                lines.append(f'{name}_bucket{{{_text(labels)},le="{bound}"}} {running}')
            lines.append(f"{name}_sum{{{_text(labels)}}} {total_seconds[0]}")
            lines.append(f"{name}_count{{{_text(labels)}}} {running}")
        return lines


def _head(name: str, kind: str) -> list[str]:
    return [f"# HELP {name} {_HELP[name]}", f"# TYPE {name} {kind}"]


def _text(labels: Labels) -> str:
    verb, group, version, resource, subresource, scope, dry_run = labels
    return (
        f'component="apiserver",dry_run="{dry_run}",group="{group}",resource="{resource}",scope="{scope}",'
        f'subresource="{subresource}",verb="{verb}",version="{version}"'
    )
