"""What the name server counts, as Prometheus text under upstream's names.

A count is a plain integer, because a prepared answer takes less than a microsecond and must not take two.
"""

import dataclasses

from steersman.serving.messages import Request, Response

PORT = 9153  # upstream's
_PREFIX = "coredns_"
_CODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
_BUCKETS = (0.00025, 0.001, 0.004, 0.016, 0.064, 0.256, 1.024, 4.096)


@dataclasses.dataclass(slots=True)
class Metrics:
    """`prepared` answers were bytes already; `forwarded` questions went outside, and took `seconds` each."""

    udp: int = 0
    tcp: int = 0
    prepared: int = 0
    worked_out: int = 0
    forwarded: int = 0
    forward_failures: int = 0
    cache_hits: int = 0
    codes: list[int] = dataclasses.field(default_factory=lambda: [0] * len(_CODES))
    seconds_sum: float = 0.0
    buckets: list[int] = dataclasses.field(default_factory=lambda: [0] * (len(_BUCKETS) + 1))

    def took(self, seconds: float) -> None:
        """A question that went outside was answered."""
        self.forwarded += 1
        self.seconds_sum += seconds
        place = next((at for at, limit in enumerate(_BUCKETS) if seconds <= limit), len(_BUCKETS))
        self.buckets[place] += 1

    async def handle(self, request: Request) -> Response:
        """Answers `/metrics`."""
        if request.path != "/metrics":
            return Response(404)
        return Response(200, {"content-type": "text/plain; version=0.0.4"}, self.text().encode())

    def text(self) -> str:
        lines = []
        for name, what, values in self._counters():
            lines += [f"# HELP {_PREFIX}{name} {what}", f"# TYPE {_PREFIX}{name} counter"]
            lines += [f"{_PREFIX}{name}{labels} {value}" for labels, value in values]
        name = f"{_PREFIX}forward_request_duration_seconds"
        lines += [f"# HELP {name} Time a question took outside.", f"# TYPE {name} histogram"]
        total = 0
        for limit, count in zip((*map(str, _BUCKETS), "+Inf"), self.buckets, strict=True):
            total += count
            lines.append(f'{name}_bucket{{le="{limit}"}} {total}')
        lines += [f"{name}_sum {self.seconds_sum}", f"{name}_count {total}"]
        return "\n".join(lines) + "\n"

    def _counters(self) -> list[tuple[str, str, list[tuple[str, int]]]]:
        codes = [(f'{{rcode="{code}"}}', count) for code, count in zip(_CODES, self.codes, strict=True)]
        return [
            ("dns_requests_total", "Questions.", [('{proto="udp"}', self.udp), ('{proto="tcp"}', self.tcp)]),
            ("dns_responses_total", "Answers, by code.", codes),
            ("dns_prepared_total", "Answers whose bytes were there already.", [("", self.prepared)]),
            ("dns_worked_out_total", "Answers worked out anew.", [("", self.worked_out)]),
            ("cache_hits_total", "Outside answers that were kept.", [("", self.cache_hits)]),
            ("forward_requests_total", "Questions that went outside.", [("", self.forwarded)]),
            ("forward_failures_total", "Questions that nobody outside answered.", [("", self.forward_failures)]),
        ]
