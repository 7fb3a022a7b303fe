"""Bring a container's image to the node: pull policy, pull secrets, events.

Many pods that ask for the same image at once share one pull. An image that is here already is only for pods that could have
pulled it (`pulled_images`).
"""

import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from steersman.aio.bucket import Bucket
from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks
from steersman.containers import runtime
from steersman.containers.images import references as names
from steersman.containers.runtime import RuntimeFailure
from steersman.kubelet import pull_secrets, references
from steersman.kubelet.pull_secrets import Credential
from steersman.kubelet.pulled_images import PulledImages
from steersman.kubelet.references import References
from steersman.meta import objects, times
from steersman.meta.objects import Object

SECRETS_MISSING = "FailedToRetrieveImagePullSecret"  # an Event of the pod, all others here are of a container
# Reasons that only some runtimes tell apart, and what upstream makes of them.
EXPLAINED = {
    "RegistryUnavailable": "because the registry is unavailable",
    "SignatureValidationFailed": "because the signature validation failed",
}

Tell = Callable[[str, str, str], None]  # type, reason, message


class Providers(Protocol):
    """Programs that know logins (`credentials.providers`)."""

    async def credentials(self, pod: Object, image: str) -> list[Credential]: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Present:
    image_id: str
    user: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class _Pulled:
    """`seconds` without the wait for other pulls."""

    used: Credential | None
    seconds: float


def policy_of(container: Object) -> str:
    """As defaulted by the API: Always for `:latest` and no tag, else IfNotPresent."""
    policy = container.get("imagePullPolicy")
    if policy:
        return str(policy)
    last = str(container.get("image", "")).rpartition("/")[2]
    if "@" in last:
        return "IfNotPresent"
    tag = last.partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


class ImageKeeper:
    """`at_once` pulls run side by side (0: any number); more wait, in their order. `logins`: a Docker config.json with those of the
    node, which all its pods may use; `providers`: programs that know more. Not more than `pace` pulls are begun."""

    def __init__(
        self,
        images: runtime.Images,
        found: References,
        clock: Clock,
        tasks: Tasks,
        pulled: PulledImages,
        at_once: int,
        logins: Path | None = None,
        providers: Providers | None = None,
        pace: Bucket | None = None,
    ) -> None:
        self._images = images
        self._references = found
        self._clock = clock
        self._tasks = tasks
        self.pulled = pulled
        self._logins = logins
        self._providers = providers
        self._pace = pace
        self._pulling: dict[tuple[str, Credential | None], asyncio.Task[_Pulled | RuntimeFailure]] = {}
        self._limit = asyncio.Semaphore(at_once or 1 << 30)

    async def ensure(self, pod: Object, container: Object, tell: Tell) -> Present:
        """Raises RuntimeFailure with upstream's reasons."""
        image, policy = str(container.get("image", "")), policy_of(container)
        status = await self._inspect(image, tell)
        if policy == "Never" and status is None:
            raise self._never(image, tell)
        own = await self._credentials(pod, image, tell)
        if status is not None and policy != "Always" and self.pulled.may_use(image, status.id, own):
            text = f'Container image "{image}" already present on machine and can be accessed by the pod'
            tell("Normal", "Pulled", text)
            return _present(status)
        if policy == "Never":  # nobody learns in this way what others have pulled
            raise self._never(image, tell)
        return await self._pull(image, own, tell)

    async def _inspect(self, image: str, tell: Tell) -> runtime.ImageStatus | None:
        try:
            return await self._images.status(image)
        except RuntimeFailure as failure:
            is_name = failure.reason == "InvalidImageName"
            what = "apply default image tag" if is_name else "inspect image"
            text = f'Failed to {what} "{image}": {failure.message}'
            tell("Warning", "InspectFailed", text)
            raise RuntimeFailure("InvalidImageName" if is_name else "ImageInspectError", text) from failure

    def _never(self, image: str, tell: Tell) -> RuntimeFailure:
        text = f'Container image "{image}" is not present with pull policy of Never'
        tell("Warning", "ErrImageNeverPull", text)
        return RuntimeFailure("ErrImageNeverPull", text)

    async def _pull(self, image: str, own: list[Credential], tell: Tell) -> Present:
        tell("Normal", "Pulling", f'Pulling image "{image}"')
        started = self._clock.monotonic()
        try:
            pulled = await self._with_one_of(image, own)
            status = await self._images.status(image)
            if status is None:
                raise RuntimeFailure("ErrImagePull", f'image "{image}" vanished after it was pulled')
        except RuntimeFailure as failure:
            tell("Warning", "Failed", f'Failed to pull image "{image}": {failure.message}')
            raise _explained(image, failure) from failure
        self.pulled.pulled(image, status.id, pulled.used, times.format_seconds(self._clock.now()))
        whole = times.format_duration(_milliseconds(self._clock.monotonic() - started))
        took = times.format_duration(_milliseconds(pulled.seconds))
        text = f'Successfully pulled image "{image}" in {took} ({whole} including waiting).'
        tell("Normal", "Pulled", f"{text} Image size: {status.size_bytes} bytes.")
        return _present(status)

    async def _with_one_of(self, image: str, own: list[Credential]) -> _Pulled:
        """With each login that fits until one works; without any when there is none."""
        failures: list[RuntimeFailure] = []
        choices: list[Credential | None] = [*own]
        for one in choices or [None]:
            found = await self._share(image, one)
            if not isinstance(found, RuntimeFailure):
                return found
            failures.append(found)
        raise failures[-1]

    async def _share(self, image: str, used: Credential | None) -> _Pulled | RuntimeFailure:
        key = (image, used)
        pulling = self._pulling.get(key)
        if pulling is None:
            pulling = self._pulling[key] = self._tasks.start(f"pull {image}", self._pull_now(image, used))
            pulling.add_done_callback(lambda _: self._pulling.pop(key, None))
        return await asyncio.shield(pulling)

    async def _pull_now(self, image: str, used: Credential | None) -> _Pulled | RuntimeFailure:
        async with self._limit:
            started = self._clock.monotonic()
            if self._pace is not None and not self._pace.take(started):
                return RuntimeFailure("ErrImagePull", "pull QPS exceeded")
            try:
                self.pulled.begin(image)
                await self._images.pull(image, used.login if used is not None else None)
            except RuntimeFailure as failure:
                self.pulled.failed(image)
                return failure
            except OSError as failure:
                text = f'Failed to record image pull intent for container image "{image}": {failure}'
                return RuntimeFailure("ErrImagePull", text)
            return _Pulled(used, self._clock.monotonic() - started)

    async def _credentials(self, pod: Object, image: str, tell: Tell) -> list[Credential]:
        """Of all secrets that can be had: without the others the pull is tried all the same, as the image may be public."""
        found: list[Credential] = []
        missing, of = [], _name_of(image)
        named = (str(one.get("name") or "") for one in pod["spec"].get("imagePullSecrets") or [])
        for name in filter(None, named):
            try:
                secret = await self._references.get("Secret", objects.namespace(pod), name)
            except references.Unavailable:
                secret = None
            if secret is None:
                missing.append(name)
            else:
                found.extend(pull_secrets.credentials_of(secret, of))
        if missing:
            text = f"Unable to retrieve some image pull secrets ({', '.join(missing)})"
            tell("Warning", SECRETS_MISSING, f"{text}; attempting to pull the image may not succeed.")
        if self._logins is not None:
            found += pull_secrets.of_node(self._logins, of)
        return found if self._providers is None else [*found, *await self._providers.credentials(pod, of)]


def _name_of(image: str) -> str:
    try:
        return names.parse(image).name
    except names.InvalidReference:  # the runtime takes it all the same: no registry has a login for it
        return image


def _present(status: runtime.ImageStatus) -> Present:
    return Present(status.digests[0] if status.digests else status.id, status.user)


def _explained(image: str, failure: RuntimeFailure) -> RuntimeFailure:
    """For the container's status; the Event tells the runtime's own words."""
    if failure.reason not in EXPLAINED:
        return failure
    _, word, more = failure.message.partition(failure.reason)
    return RuntimeFailure(
        failure.reason, f"image pull failed for {image} {EXPLAINED[failure.reason]}{more if word else ''}"
    )


def _milliseconds(seconds: float) -> float:
    """As exact as upstream tells it."""
    return int(seconds * 1000) / 1000
