"""How often webhooks were asked and what came of it, under upstream's names."""

import collections

from steersman.apiserver.admission import durations
from steersman.apiserver.admission.plugin import Review
from steersman.apiserver.metrics import Gauge

_PREFIX = "apiserver_admission_webhook_"


class Figures:
    """Of one plugin. `type` is upstream's word: admit or validating."""

    def __init__(self, type_: str) -> None:
        self._type = type_
        self.durations = durations.WebhookDurations()
        self._counts: collections.Counter[tuple[str, str]] = collections.Counter()

    def asked(self, webhook: str, review: Review, code: int) -> None:
        """`code` is that of the refusal, 200 where there was none."""
        rejected = "true" if code >= 400 else "false"
        labels = f'code="{code}",{self._labels(webhook, review)},rejected="{rejected}"'
        self._counts[f"{_PREFIX}request_total", labels] += 1
        if code >= 400:
            self._reject(webhook, review, "no_error", code)

    def took(self, webhook: str, review: Review, seconds: float, *, rejected: bool) -> None:
        type_ = "admit" if self._type == "admit" else "validate"
        self.durations.asked(webhook, type_, review.operation, seconds, rejected=rejected)

    def failed(self, webhook: str, review: Review, *, is_ignored: bool) -> None:
        """It did not answer."""
        if is_ignored:
            self._counts[f"{_PREFIX}fail_open_count", f'name="{webhook}",type="{self._type}"'] += 1
        self._reject(webhook, review, "calling_webhook_error", 0)

    def gauges(self) -> list[Gauge]:
        return [Gauge(name, count, labels, "counter") for (name, labels), count in sorted(self._counts.items())]

    def _reject(self, webhook: str, review: Review, error: str, code: int) -> None:
        labels = f'error_type="{error}",{self._labels(webhook, review)},rejection_code="{code}"'
        self._counts[f"{_PREFIX}rejection_count", labels] += 1

    def _labels(self, webhook: str, review: Review) -> str:
        return f'name="{webhook}",operation="{review.operation}",type="{self._type}"'
