"""Bring a container's image to the node: pull policy, pull secrets, events.

Many pods that ask for the same image at once share one pull.
"""

import asyncio
import base64
import binascii
import dataclasses
import json
from collections.abc import Callable, Iterable

from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks
from steersman.containers import runtime
from steersman.containers.runtime import RuntimeFailure
from steersman.kubelet import references
from steersman.kubelet.references import References
from steersman.meta import objects
from steersman.meta.objects import Object

# Pulls of one node at the same time; more only share the line.
PULLS_MOST = 4
SECRETS_MISSING = "FailedToRetrieveImagePullSecret"  # an Event of the pod, all others here are of a container

Tell = Callable[[str, str, str], None]  # type, reason, message


@dataclasses.dataclass(frozen=True, slots=True)
class Present:
    image_id: str
    user: str = ""


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
    def __init__(self, images: runtime.Images, found: References, clock: Clock, tasks: Tasks) -> None:
        self._images = images
        self._references = found
        self._clock = clock
        self._tasks = tasks
        self._pulling: dict[tuple[str, runtime.RegistryLogin | None], asyncio.Task[str | RuntimeFailure]] = {}
        self._limit = asyncio.Semaphore(PULLS_MOST)

    async def ensure(self, pod: Object, container: Object, tell: Tell) -> Present:
        """Raises RuntimeFailure with upstream's reasons."""
        image, policy = str(container.get("image", "")), policy_of(container)
        status = await self._images.status(image)
        if policy == "Never" and status is None:
            text = f'Container image "{image}" is not present with pull policy of Never'
            tell("Warning", "ErrImageNeverPull", text)
            raise RuntimeFailure("ErrImageNeverPull", text)
        if status is not None and policy != "Always":
            tell("Normal", "Pulled", f'Container image "{image}" already present on machine')
            return _present(status)
        tell("Normal", "Pulling", f'Pulling image "{image}"')
        started = self._clock.monotonic()
        try:
            await self._pull(pod, image, tell)
        except RuntimeFailure as failure:
            tell("Warning", "Failed", f'Failed to pull image "{image}": {failure.message}')
            raise
        status = await self._images.status(image)
        if status is None:
            raise RuntimeFailure("ErrImagePull", f'image "{image}" vanished after it was pulled')
        took = _duration(self._clock.monotonic() - started)
        text = f'Successfully pulled image "{image}" in {took} ({took} including waiting).'
        tell("Normal", "Pulled", f"{text} Image size: {status.size_bytes} bytes.")
        return _present(status)

    async def _pull(self, pod: Object, image: str, tell: Tell) -> None:
        """With each login that fits until one works; without any when there is none."""
        logins: list[runtime.RegistryLogin | None] = [*await self._logins(pod, image, tell)]
        failures: list[RuntimeFailure] = []
        for login in logins or [None]:
            failure = await self._share(image, login)
            if not isinstance(failure, RuntimeFailure):
                return
            failures.append(failure)
        raise failures[-1]

    async def _share(self, image: str, login: runtime.RegistryLogin | None) -> str | RuntimeFailure:
        key = (image, login)
        pulling = self._pulling.get(key)
        if pulling is None:
            pulling = self._pulling[key] = self._tasks.start(f"pull {image}", self._pull_now(image, login))
            pulling.add_done_callback(lambda _: self._pulling.pop(key, None))
        return await asyncio.shield(pulling)

    async def _pull_now(self, image: str, login: runtime.RegistryLogin | None) -> str | RuntimeFailure:
        async with self._limit:
            try:
                return await self._images.pull(image, login)
            except RuntimeFailure as failure:
                return failure

    async def _logins(self, pod: Object, image: str, tell: Tell) -> list[runtime.RegistryLogin]:
        """Of all secrets that can be had: without the others the pull is tried all the same, as the image may be public."""
        found: list[runtime.RegistryLogin] = []
        missing = []
        named = (str(one.get("name") or "") for one in pod["spec"].get("imagePullSecrets") or [])
        for name in filter(None, named):
            try:
                secret = await self._references.get("Secret", objects.namespace(pod), name)
            except references.Unavailable:
                secret = None
            if secret is None:
                missing.append(name)
            else:
                found.extend(logins_of(secret, image))
        if missing:
            text = f"Unable to retrieve some image pull secrets ({', '.join(missing)})"
            tell("Warning", SECRETS_MISSING, f"{text}; attempting to pull the image may not succeed.")
        return found


def _present(status: runtime.ImageStatus) -> Present:
    return Present(status.digests[0] if status.digests else status.id, status.user)


def logins_of(secret: Object, image: str) -> Iterable[runtime.RegistryLogin]:
    """The logins of a dockerconfigjson or dockercfg Secret whose registry is the image's."""
    data = references.binary_data(secret)
    try:
        if ".dockerconfigjson" in data:
            entries = json.loads(data[".dockerconfigjson"]).get("auths") or {}
        else:
            entries = json.loads(data.get(".dockercfg", b"{}"))
        return [_login(entry) for registry, entry in entries.items() if _fits(registry, image)]
    except (ValueError, AttributeError, binascii.Error) as error:
        raise RuntimeFailure("ErrImagePull", f"pull secret {objects.name(secret)} cannot be read: {error}") from error


def _login(entry: Object) -> runtime.RegistryLogin:
    if entry.get("auth"):
        user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        return runtime.RegistryLogin(user, password)
    return runtime.RegistryLogin(entry.get("username", ""), entry.get("password", ""))


def _fits(registry: str, image: str) -> bool:
    host = registry.removeprefix("https://").removeprefix("http://").rstrip("/")
    first = image.partition("/")[0]
    is_host = "/" in image and ("." in first or ":" in first or first == "localhost")
    if not is_host:
        return host.partition("/")[0] in ("docker.io", "index.docker.io", "registry-1.docker.io")
    return image == host or image.startswith((f"{host}/", f"{host.partition('/')[0]}/"))


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms" if seconds < 1 else f"{seconds:.3f}s".replace(".000", "")
