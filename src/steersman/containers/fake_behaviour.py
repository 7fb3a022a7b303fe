"""What a container on paper does: a record, from pod annotations or from a callback.

Annotations of the pod (`fake.steersman.dev/WHAT`, or `fake.steersman.dev/WHAT.CONTAINER` for one of its containers):

| annotation | meaning |
| --- | --- |
| `start-delay` | seconds that starting takes |
| `start-error` | starting fails with this message |
| `run-seconds` | it ends by itself after so many seconds |
| `exit-code` | the code it then ends with (default 0); a list `1,1,0` gives one per restart, the last one repeated |
| `oom` | `true`: it ends as OOMKilled (137) |
| `stop-seconds` | how long it takes after SIGTERM (default 0); `never`: it ignores SIGTERM |
| `stop-exit-code` | the code it then ends with (default 0) |
| `startup`, `readiness`, `liveness` | when that probe fails: `always`, or seconds since the start, as in `0-5,60-90` or `30-` |
| `logs` | text written to its log at start |
| `exec` | JSON: `{"COMMAND WITH ARGUMENTS": {"exit_code": 1, "stdout": "…", "stderr": "…", "seconds": 2}, "*": …}` |
| `port` | JSON: `{"8080": "text that a connection through port-forward gets in answer"}` |
| `cpu` / `memory` | use: millicores, bytes |

A probe that nothing is said of succeeds, except that an exec probe goes by what `exec` answers.
"""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from steersman.containers import runtime

PROBES = ("startup", "readiness", "liveness")
PREFIX = "fake.steersman.dev/"


@dataclasses.dataclass(frozen=True, slots=True)
class ExecAnswer:
    exit_code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Behaviour:
    """`run_seconds` None: it runs until stopped. `stop_seconds` None: it ignores SIGTERM. `probe_failures`: by kind of probe
    (startup, readiness, liveness), the spans of seconds since the container's start in which it fails."""

    start_delay_seconds: float = 0.0
    start_error: str = ""
    run_seconds: float | None = None
    exit_codes: tuple[int, ...] = (0,)
    oom: bool = False
    stop_seconds: float | None = 0.0
    stop_exit_code: int = 0
    probe_failures: Mapping[str, tuple[tuple[float, float], ...]] = dataclasses.field(default_factory=dict)
    logs: str = ""
    exec: Mapping[str, ExecAnswer] = dataclasses.field(default_factory=dict)
    ports: Mapping[int, bytes] = dataclasses.field(default_factory=dict)
    cpu_millicores: int = 0
    memory_bytes: int = 0

    def exit_code(self, attempt: int) -> int:
        return self.exit_codes[min(attempt, len(self.exit_codes) - 1)]

    def probe_succeeds(self, kind: str, seconds: float) -> bool | None:
        """So many seconds after the container's start; None when nothing is said of this probe."""
        spans = self.probe_failures.get(kind)
        return None if spans is None else not any(begin <= seconds < end for begin, end in spans)

    def answer(self, command: Sequence[str]) -> ExecAnswer:
        return self.exec.get(" ".join(command)) or self.exec.get("*") or SILENT


SILENT = ExecAnswer()
DEFAULT = Behaviour()
Script = Callable[[runtime.SandboxConfig, runtime.ContainerConfig], Behaviour]


def from_annotations(sandbox: runtime.SandboxConfig, container: runtime.ContainerConfig) -> Behaviour:
    """Raises RuntimeFailure (CreateContainerError) for a value that cannot be read."""
    wanted = _wanted(sandbox.annotations, container.name)
    if not wanted:
        return DEFAULT
    try:
        probes = {what: _spans(wanted.pop(what)) for what in PROBES if what in wanted}
        return dataclasses.replace(
            DEFAULT, probe_failures=probes, **dict(_field(what, text) for what, text in wanted.items())
        )
    except (ValueError, TypeError, AttributeError, KeyError) as wrong:
        message = f"cannot read the annotations {PREFIX}*: {wrong}"
        raise runtime.RuntimeFailure("CreateContainerError", message, temporary=False) from wrong


def _wanted(annotations: Mapping[str, str], container: str) -> dict[str, str]:
    """The annotations for this container; those that name it win over those for the whole pod."""
    general, own = {}, {}
    for key, text in annotations.items():
        if key.startswith(PREFIX):
            what, _, name = key[len(PREFIX) :].partition(".")
            if not name:
                general[what] = text
            elif name == container:
                own[what] = text
    return general | own


def _field(what: str, text: str) -> tuple[str, Any]:
    name, parse = _FIELDS[what]
    return name, parse(text)


def _spans(text: str) -> tuple[tuple[float, float], ...]:
    if text == "always":
        return ((0.0, math.inf),)
    spans = (span.strip().partition("-") for span in text.split(","))
    return tuple((float(begin), float(end) if end else math.inf) for begin, _, end in spans)


def _stop_seconds(text: str) -> float | None:
    return None if text == "never" else float(text)


def _codes(text: str) -> tuple[int, ...]:
    return tuple(int(code) for code in text.split(","))


def _exec(text: str) -> dict[str, ExecAnswer]:
    return {
        command: ExecAnswer(
            exit_code=int(answer.get("exit_code", 0)),
            stdout=str(answer.get("stdout", "")).encode(),
            stderr=str(answer.get("stderr", "")).encode(),
            seconds=float(answer.get("seconds", 0)),
        )
        for command, answer in json.loads(text).items()
    }


def _ports(text: str) -> dict[int, bytes]:
    return {int(port): str(answer).encode() for port, answer in json.loads(text).items()}


_FIELDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "start-delay": ("start_delay_seconds", float),
    "start-error": ("start_error", str),
    "run-seconds": ("run_seconds", float),
    "exit-code": ("exit_codes", _codes),
    "oom": ("oom", lambda text: text == "true"),
    "stop-seconds": ("stop_seconds", _stop_seconds),
    "stop-exit-code": ("stop_exit_code", int),
    "logs": ("logs", str),
    "exec": ("exec", _exec),
    "port": ("ports", _ports),
    "cpu": ("cpu_millicores", int),
    "memory": ("memory_bytes", int),
}
