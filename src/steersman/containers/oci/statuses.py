"""What a sandbox or container is, on disk and as CRI shows it. Pure but for reading and writing records."""

import dataclasses
import datetime
import os
import signal
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from steersman.containers import runtime, syscalls
from steersman.containers.oci import records
from steersman.containers.runtime import State

UNKNOWN_MESSAGE = "The container could not be located when the pod was terminated"  # upstream's words
LOST_EXIT_CODE = 137  # upstream's for a container whose end nobody saw

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class SandboxRecord:
    id: str
    config: runtime.SandboxConfig
    created_at: datetime.datetime
    addresses: tuple[str, ...] = ()
    ready: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerRecord:
    id: str
    sandbox_id: str
    pod_uid: str
    name: str
    attempt: int
    image: str
    image_id: str
    created_at: datetime.datetime
    log_path: str
    tty: bool
    stdin: bool
    stdin_once: bool
    stop_signal: str
    cgroup: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    user: runtime.User | None = None


def write_sandbox(folder: str, record: SandboxRecord) -> None:
    _write(os.path.join(folder, records.RECORD), record)


def read_sandbox(folder: str) -> SandboxRecord | None:
    return _read(os.path.join(folder, records.RECORD), SandboxRecord)


def write_sandbox_config(path: str, config: runtime.SandboxConfig) -> None:
    """For runtimes that keep the rest themselves."""
    _write(path, config)


def read_sandbox_config(path: str) -> runtime.SandboxConfig | None:
    return _read(path, runtime.SandboxConfig)


def write_container(folder: str, record: ContainerRecord) -> None:
    _write(os.path.join(folder, records.RECORD), record)


def read_container(folder: str) -> ContainerRecord | None:
    return _read(os.path.join(folder, records.RECORD), ContainerRecord)


def sandbox_status(record: SandboxRecord) -> runtime.SandboxStatus:
    config = record.config
    return runtime.SandboxStatus(
        id=record.id,
        pod_uid=config.pod_uid,
        name=config.name,
        namespace=config.namespace,
        attempt=config.attempt,
        ready=record.ready,
        created_at=record.created_at,
        addresses=record.addresses,
        labels=config.labels,
        annotations=config.annotations,
    )


def container_status(folder: str, record: ContainerRecord) -> runtime.ContainerStatus:
    """From the container's folder: created, running (as far as anyone wrote down) or exited."""
    status = runtime.ContainerStatus(
        id=record.id,
        sandbox_id=record.sandbox_id,
        pod_uid=record.pod_uid,
        name=record.name,
        attempt=record.attempt,
        state=State.CREATED,
        image=record.image,
        image_id=record.image_id,
        created_at=record.created_at,
        log_path=record.log_path,
        labels=record.labels,
        annotations=record.annotations,
        user=record.user,
        stop_signal=signal_name(record.stop_signal),
    )
    if begun := records.read(os.path.join(folder, records.STARTED)):
        status = started(status, begun)
    if ending := records.read(os.path.join(folder, records.EXIT)):
        status = exited(status, ending)
    return status


def started(status: runtime.ContainerStatus, begun: Mapping[str, Any]) -> runtime.ContainerStatus:
    at = datetime.datetime.fromisoformat(begun["started_at"])
    return dataclasses.replace(status, state=State.RUNNING, started_at=at, pid=begun["pid"])


def exited(status: runtime.ContainerStatus, ending: Mapping[str, Any]) -> runtime.ContainerStatus:
    """`message` in an ending: it could not even be started."""
    code, message = ending["code"], ending.get("message", "")
    if message:
        reason = "StartError"
    elif ending["unknown"]:
        reason, code, message = "ContainerStatusUnknown", LOST_EXIT_CODE, UNKNOWN_MESSAGE
    elif ending["oom"]:
        reason = "OOMKilled"
    else:
        reason = "Error" if code else "Completed"
    return dataclasses.replace(
        status,
        state=State.EXITED,
        exit_code=code,
        signal=ending["signal"],
        finished_at=datetime.datetime.fromisoformat(ending["at"]),
        reason=reason,
        message=message,
        pid=0,
    )


def with_known_status(ending: Mapping[str, Any], pidfd: int, pid: int) -> dict[str, Any]:
    """An ending nobody saw, with what the kernel still tells."""
    status = syscalls.exit_status_of(pidfd, pid)
    if status is None:
        return dict(ending)
    code = os.waitstatus_to_exitcode(status)
    known = {"code": 128 - code if code < 0 else code, "signal": max(0, -code), "unknown": False}
    return {**ending, **known}


def signal_number(text: str) -> int:
    """An image's stop signal: `SIGQUIT`, `QUIT`, `3`, `RTMIN+3`; SIGTERM when it says none."""
    name = text.upper().removeprefix("SIG")
    if name.isdigit():
        return int(name)
    base, plus, offset = name.partition("+")
    number = getattr(signal, "SIG" + base, None)
    if not isinstance(number, int):
        return signal.SIGTERM
    return int(number) + (int(offset) if plus and offset.isdigit() else 0)


def signal_name(text: str) -> str:
    """As the API names signals: `SIGTERM`, `SIGRTMIN+3`."""
    number = signal_number(text)
    if number >= signal.SIGRTMIN:
        offset = number - signal.SIGRTMIN
        return f"SIGRTMIN+{offset}" if offset else "SIGRTMIN"
    return signal.Signals(number).name


def _write(path: str, record: Any) -> None:
    temporary = path + ".new"
    with open(temporary, "wb") as file:
        file.write(msgspec.json.encode(record))
    os.rename(temporary, path)


def _read(path: str, kind: type[T]) -> T | None:
    try:
        with open(path, "rb") as file:
            return msgspec.json.decode(file.read(), type=kind)
    except FileNotFoundError:
        return None
