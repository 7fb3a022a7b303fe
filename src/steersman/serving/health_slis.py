"""`/metrics/slis`: what health checks have said, each time somebody asked.

Source: upstream's component-base/metrics/prometheus/slis.
"""

from steersman.serving.messages import Response

_GAUGE, _TOTAL = "kubernetes_healthcheck", "kubernetes_healthchecks_total"


class HealthSlis:
    def __init__(self) -> None:
        self._last: dict[tuple[str, str], bool] = {}
        self._totals: dict[tuple[str, str, str], int] = {}

    def observe(self, name: str, kind: str, *, healthy: bool) -> None:
        """`kind` is the endpoint that was asked: healthz, livez, readyz."""
        self._last[name, kind] = healthy
        key = (name, "success" if healthy else "error", kind)
        self._totals[key] = self._totals.get(key, 0) + 1

    def answer(self) -> Response:
        lines = []
        if self._last:
            lines += _head(_GAUGE, "gauge", "This metric records the result of a single healthcheck.")
            for (name, kind), healthy in sorted(self._last.items()):
                lines.append(f'{_GAUGE}{{name="{name}",type="{kind}"}} {int(healthy)}')
            lines += _head(_TOTAL, "counter", "This metric records the results of all healthcheck.")
            for (name, status, kind), count in sorted(self._totals.items()):
                lines.append(f'{_TOTAL}{{name="{name}",status="{status}",type="{kind}"}} {count}')
        text = "".join(f"{line}\n" for line in lines)
        return Response(200, {"content-type": "text/plain; version=0.0.4; charset=utf-8"}, text.encode())


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} [STABLE] {text}", f"# TYPE {name} {kind}"]
