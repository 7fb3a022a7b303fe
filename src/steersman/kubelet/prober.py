"""Carries probes and lifecycle hooks out: exec in the container, HTTP or TCP to its address, gRPC health, sleep.

The kubelet lives in its node's network namespace, so pods' addresses are reached directly.
"""

import asyncio
import dataclasses
import ssl
from typing import Any

from steersman.aio.clock import Clock
from steersman.containers import runtime
from steersman.kubelet import grpc_health, http_check
from steersman.meta.objects import Object

# What of a probe's output is kept for the event (upstream's limit for exec output).
OUTPUT_MOST_BYTES = 10 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    success: bool
    output: str = ""
    warning: bool = False  # upstream's ProbeWarning: a redirect elsewhere counts as success
    unknown: bool = False  # the container could not even be asked: it is neither well nor ill


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """The running container that is looked at. `address` is its pod's."""

    container: Object
    container_id: str
    address: str


class Prober:
    def __init__(self, runtime_: runtime.Runtime, clock: Clock, version: str) -> None:
        self._runtime = runtime_
        self._clock = clock
        self._agent = f"kube-probe/{'.'.join(version.removeprefix('v').split('.')[:2])}"
        self._lifecycle_agent = f"kube-lifecycle/{'.'.join(version.removeprefix('v').split('.')[:2])}"

    async def look(self, probe: dict[str, Any], target: Target, timeout_seconds: float) -> Outcome:
        """One look; never raises but for our own mistakes."""
        try:
            if probe.get("exec"):
                return await self._exec(probe["exec"], target, timeout_seconds)
            async with self._clock.timeout(timeout_seconds):
                if probe.get("httpGet"):
                    return await self._http_get(probe["httpGet"], target)
                if probe.get("tcpSocket"):
                    return await self._tcp(probe["tcpSocket"], target)
                if probe.get("grpc"):
                    return await self._grpc(probe["grpc"], target)
        except TimeoutError:
            return Outcome(False, _timeout_text(probe, target, timeout_seconds))
        except (OSError, http_check.CheckFailed, ValueError) as error:
            return Outcome(False, _error_text(probe, target, error))
        return Outcome(False, "missing probe handler")

    async def run_hook(self, handler: dict[str, Any], target: Target) -> str:
        """A postStart or preStop handler; returns the error's text, empty when it did well."""
        try:
            if handler.get("exec"):
                return await self._exec_hook(handler["exec"], target)
            if handler.get("sleep"):
                await self._clock.sleep(float(handler["sleep"].get("seconds") or 0))
                return ""
            if handler.get("httpGet"):
                await self._http_hook(handler["httpGet"], target)
                return ""  # any answer will do
            if handler.get("tcpSocket"):
                return "tcpSocket is not supported as a lifecycle hook"
        except (OSError, http_check.CheckFailed, ValueError, runtime.RuntimeFailure) as error:
            return str(error) or type(error).__name__
        return "invalid handler: no action"

    async def _http_hook(self, spec: Object, target: Target) -> None:
        """A server that speaks only HTTP is asked so, without secrets in the headers, as upstream does."""
        host, port, path, scheme, headers = _http_target(spec, target)
        try:
            await http_check.get(host, port, path, scheme, headers, self._lifecycle_agent)
        except ssl.SSLError:
            if scheme != "HTTPS":
                raise
            plain = {name: value for name, value in headers.items() if name.lower() != "authorization"}
            await http_check.get(host, port, path, "HTTP", plain, self._lifecycle_agent)

    async def _exec(self, spec: Object, target: Target, timeout_seconds: float) -> Outcome:
        command = spec.get("command") or []
        try:
            result = await self._runtime.exec_sync(target.container_id, command, timeout_seconds)
        except TimeoutError:
            return Outcome(False, f"command timed out: {_shown(command)} timed out after {timeout_seconds:g}s")
        except runtime.RuntimeFailure as failure:
            return Outcome(False, failure.message, unknown=True)
        text = (result.stdout + result.stderr)[:OUTPUT_MOST_BYTES].decode("utf-8", "replace")
        return Outcome(result.exit_code == 0, text)

    async def _exec_hook(self, spec: Object, target: Target) -> str:
        """Without a limit of its own: the caller's grace period is the limit."""
        command = spec.get("command") or []
        result = await self._runtime.exec_sync(target.container_id, command, 0)
        if result.exit_code == 0:
            return ""
        text = (result.stdout + result.stderr)[:OUTPUT_MOST_BYTES].decode("utf-8", "replace")
        return f"Exec lifecycle hook ({_shown(command)}) failed - error: command '{' '.join(command)}' exited with " + (
            f'{result.exit_code}: {text}, message: "{text}"'
        )

    async def _http_get(self, spec: Object, target: Target) -> Outcome:
        host, port, path, scheme, headers = _http_target(spec, target)
        answer = await http_check.get(host, port, path, scheme, headers, self._agent)
        body = answer.body.decode("utf-8", "replace")
        if 200 <= answer.status < 300:
            return Outcome(True, body)
        if 300 <= answer.status < 400:
            text = f"Probe terminated redirects, Response body: {body}"
            return Outcome(True, text, warning=True)
        return Outcome(False, f"HTTP probe failed with statuscode: {answer.status}")

    async def _tcp(self, spec: Object, target: Target) -> Outcome:
        host = spec.get("host") or target.address
        _, writer = await asyncio.open_connection(host, port_of(spec["port"], target.container))
        writer.transport.abort()
        return Outcome(True)

    async def _grpc(self, spec: Object, target: Target) -> Outcome:
        serving, text = await grpc_health.check(
            target.address, int(spec["port"]), spec.get("service") or "", self._agent
        )
        return Outcome(serving, text)


def _http_target(spec: Object, target: Target) -> tuple[str, int, str, str, dict[str, str]]:
    headers: dict[str, str] = {}
    for header in spec.get("httpHeaders") or []:
        headers[header["name"]] = header.get("value") or ""
    scheme = spec.get("scheme") or "HTTP"
    return (
        spec.get("host") or target.address,
        port_of(spec["port"], target.container),
        spec.get("path") or "/",
        scheme,
        headers,
    )


def port_of(port: int | str, container: Object) -> int:
    """A number, or the name of one of the container's ports. Raises ValueError."""
    if isinstance(port, int):
        return port
    for one in container.get("ports") or []:
        if one.get("name") == port:
            return int(one["containerPort"])
    if port.isdigit():
        return int(port)
    raise ValueError(f'couldn\'t find port: "{port}" in container {container["name"]}')


def _shown(command: list[str]) -> str:
    return "[" + " ".join(command) + "]"


def _timeout_text(probe: dict[str, Any], target: Target, seconds: float) -> str:
    if probe.get("httpGet"):
        host, port, path, scheme, _ = _http_target(probe["httpGet"], target)
        return (
            f'Get "{http_check.url(host, port, path, scheme)}": context deadline exceeded '
            "(Client.Timeout exceeded while awaiting headers)"
        )
    if probe.get("tcpSocket"):
        where = f"{probe['tcpSocket'].get('host') or target.address}:{probe['tcpSocket']['port']}"
        return f"dial tcp {where}: i/o timeout"
    return f"timeout: failed to connect service within {seconds:g}s"


def _error_text(probe: dict[str, Any], target: Target, error: Exception) -> str:
    text = "connect: connection refused" if isinstance(error, ConnectionRefusedError) else str(error)
    if isinstance(error, ValueError):
        return text
    if probe.get("httpGet"):
        host, port, path, scheme, _ = _http_target(probe["httpGet"], target)
        dial = f"dial tcp {host}:{port}: {text}" if isinstance(error, OSError) else text
        return f'Get "{http_check.url(host, port, path, scheme)}": {dial}'
    if probe.get("tcpSocket"):
        spec = probe["tcpSocket"]
        return f"dial tcp {spec.get('host') or target.address}:{port_of(spec['port'], target.container)}: {text}"
    return text
