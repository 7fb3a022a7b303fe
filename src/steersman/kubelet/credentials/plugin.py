"""Ask a program for logins: a request at its input, a response at its output. `response_of` is pure.

Source: credentialprovider.kubelet.k8s.io/v1 and upstream's execPlugin.
"""

import asyncio
import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steersman.aio.clock import Clock
from steersman.containers.runtime import RegistryLogin
from steersman.kubelet.credentials.provider_config import Provider
from steersman.kubelet.metrics import Metrics
from steersman.meta import times
from steersman.meta.objects import Object

SECONDS_MOST = 60.0
KEYS = ("Image", "Registry", "Global")  # for what else an answer is good
_FIELDS = frozenset(("apiVersion", "kind", "cacheKeyType", "cacheDuration", "auth"))


class Failed(Exception):
    """There is no login to be had. The text holds nothing of the answer, which may hold some."""


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """`cache_seconds` None: as long as the provider's configuration says."""

    logins: Mapping[str, RegistryLogin]
    key: str
    cache_seconds: float | None


def request_of(provider: Provider, image: str, token: str, annotations: Mapping[str, str]) -> Object:
    made: Object = {"kind": "CredentialProviderRequest", "apiVersion": provider.protocol, "image": image}
    if token:
        made["serviceAccountToken"] = token
    if annotations:
        made["serviceAccountAnnotations"] = dict(annotations)
    return made


def response_of(provider: Provider, output: bytes) -> Response:
    """Raises Failed."""
    try:
        found = json.loads(output)
        version = found.get("apiVersion") or ""
    except (ValueError, AttributeError):
        raise Failed("error reading GVK from response: couldn't get version/kind; json parse error") from None
    if version != provider.protocol:
        expected = f"did not match expected apiVersion:{provider.protocol}, actual apiVersion:{version}"
        raise Failed(f"apiVersion from credential plugin response {expected}")
    try:
        if found.get("kind") != "CredentialProviderResponse" or found.keys() - _FIELDS:
            raise ValueError("not a response")
        logins = {name: _login(one) for name, one in (found.get("auth") or {}).items()}
        seconds = found.get("cacheDuration")
        cache_seconds = None if seconds is None else times.parse_duration(str(seconds))
    except (ValueError, TypeError, AttributeError):
        raise Failed("error decoding credential provider plugin response from stdout") from None
    key = str(found.get("cacheKeyType") or "")
    if key not in KEYS:
        raise Failed(f"credential provider plugin did not return a valid cacheKeyType: {json.dumps(key)}")
    return Response(logins, key, cache_seconds)


def _login(found: Mapping[str, Any]) -> RegistryLogin:
    if found.keys() - {"username", "password"}:
        raise ValueError("unknown field")
    return RegistryLogin(found.get("username") or "", found.get("password") or "")


async def ask(folder: Path, provider: Provider, request: Object, clock: Clock, metrics: Metrics) -> Response:
    """Raises Failed."""
    began = clock.monotonic()
    try:
        output = await _run(folder, provider, json.dumps(request).encode(), clock)
    except Failed as failure:
        metrics.count("kubelet_credential_provider_plugin_errors", plugin_name=provider.name)
        what = f"error execing credential provider plugin {provider.name} for image {request['image']}"
        raise Failed(f"{what}: {failure}") from failure
    finally:
        took = clock.monotonic() - began
        metrics.observe("kubelet_credential_provider_plugin_duration", took, plugin_name=provider.name)
    return response_of(provider, output)


async def _run(folder: Path, provider: Provider, request: bytes, clock: Clock) -> bytes:
    try:
        process = await asyncio.create_subprocess_exec(
            folder / provider.name,
            *provider.arguments,
            env={**os.environ, **dict(provider.environment)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as failure:
        raise Failed(f"fork/exec {folder / provider.name}: {failure.strerror}") from failure
    try:
        async with clock.timeout(SECONDS_MOST):
            output, complaints = await process.communicate(request)
    except TimeoutError as late:
        raise Failed("context deadline exceeded") from late
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code := process.returncode:
        how = f"exit status {code}" if code > 0 else f"signal: {-code}"
        raise Failed(f"{how}: {complaints.decode('utf-8', 'replace')}")
    return output
