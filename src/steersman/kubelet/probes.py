"""The state of one probe: when to look next, and when enough looks agree to say that something changed.

Pure. Source: the Kubernetes documentation "Configure Liveness, Readiness and Startup Probes".
"""

import dataclasses
import datetime
from typing import Any

KINDS = ("startup", "liveness", "readiness")


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    initial_delay_seconds: float = 0.0
    period_seconds: float = 10.0
    timeout_seconds: float = 1.0
    success_threshold: int = 1
    failure_threshold: int = 3

    @classmethod
    def of(cls, probe: dict[str, Any]) -> "Settings":
        return cls(
            initial_delay_seconds=float(probe.get("initialDelaySeconds") or 0),
            period_seconds=float(probe.get("periodSeconds") or 10),
            timeout_seconds=float(probe.get("timeoutSeconds") or 1),
            success_threshold=int(probe.get("successThreshold") or 1),
            failure_threshold=int(probe.get("failureThreshold") or 3),
        )


@dataclasses.dataclass(slots=True)
class ProbeState:
    """`told` is the last outcome the machine was told; what a container is before its first outcome depends on the kind:
    alive, but neither started nor ready."""

    kind: str
    settings: Settings
    told: bool | None = None
    last: bool | None = None
    in_a_row: int = 0

    def __post_init__(self) -> None:
        if self.told is None and self.kind == "liveness":
            self.told = True

    def first_after_seconds(
        self, started_at: datetime.datetime, now: datetime.datetime, chance_seconds: float
    ) -> float:
        """Readiness and startup look at once after the delay; others join the node's rhythm at a random moment."""
        left = self.settings.initial_delay_seconds - (now - started_at).total_seconds()
        return max(left, 0.0, chance_seconds if self.kind == "liveness" and left <= 0 else 0.0)

    def record(self, success: bool) -> bool:
        """One look's outcome; True when the machine has to be told."""
        self.in_a_row = self.in_a_row + 1 if success is self.last else 1
        self.last = success
        needed = self.settings.success_threshold if success else self.settings.failure_threshold
        if self.in_a_row < needed or success is self.told:
            return False
        self.told = success
        return True
