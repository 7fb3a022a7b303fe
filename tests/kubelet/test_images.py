"""Images on their way to the node: whose secrets are used, who waits for whom, and what is said when one does not come."""

import base64
import functools
import json
from pathlib import Path
from typing import Any

import pytest

from steersman.aio.clock import Clock
from steersman.containers.fake_images import FakeImages
from steersman.containers.runtime import ImageStatus, RegistryLogin, RuntimeFailure
from steersman.kubelet.pull_secrets import Credential
from steersman.meta.objects import Object
from tests.kubelet import world
from tests.kubelet.test_agent import run
from tests.kubelet.world import container

IMAGE = "registry.example/team/app:1"


def secret(user: str, password: str) -> dict[str, object]:
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    text = json.dumps({"auths": {"registry.example": {"auth": auth}}})
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "there", "namespace": "default"},
        "data": {".dockerconfigjson": base64.b64encode(text.encode()).decode()},
    }


def test_a_missing_pull_secret_is_told_and_the_pull_tried_with_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(here: world.World) -> None:
        asked: list[RegistryLogin | None] = []
        pull = here.runtime.images.pull

        async def seen(reference: str, login: RegistryLogin | None = None) -> str:
            asked.append(login)
            image_id: str = await pull(reference, login)
            return image_id

        monkeypatch.setattr(here.runtime.images, "pull", seen)
        here.api.put("secrets", secret("ann", "secret"))
        async with here.running():
            names = [{"name": "gone"}, {"name": "there"}, {"name": ""}, {"name": "lost"}]
            here.pod(containers=[container(image=IMAGE)], imagePullSecrets=names)
            await here.until_running()
        assert asked == [RegistryLogin("ann", "secret")]
        assert here.events.of("FailedToRetrieveImagePullSecret") == [
            "Unable to retrieve some image pull secrets (gone, lost); attempting to pull the image may not succeed."
        ]

    run(test, tmp_path)


class SlowImages(FakeImages):
    """Each pull takes ten seconds, and only Ann may have it."""

    def __init__(self, clock: Clock, private: bool = False) -> None:
        super().__init__()
        self._clock = clock
        self._private = private

    async def pull(self, reference: str, login: RegistryLogin | None = None) -> str:
        await self._clock.sleep(10)
        if self._private and login != RegistryLogin("ann", "secret"):
            raise RuntimeFailure("ErrImagePull", "pull access denied")
        return await super().pull(reference, login)


@pytest.mark.parametrize(
    ("at_once", "told"),
    [
        (1, ["in 10s (10s including waiting)", "in 10s (20s including waiting)", "in 10s (30s including waiting)"]),
        (2, ["in 10s (10s including waiting)", "in 10s (10s including waiting)", "in 10s (20s including waiting)"]),
        (0, ["in 10s (10s including waiting)"] * 3),
    ],
    ids=["one by one", "two at once", "all at once"],
)
def test_pulls_wait_for_each_other(tmp_path: Path, at_once: int, told: list[str]) -> None:
    async def test(here: world.World) -> None:
        here.runtime._images = SlowImages(here.clock)
        async with here.running():
            for number in range(3):
                here.pod(f"pod-{number}", containers=[container(image=f"registry.example/{number}:1")])
            await here.until(lambda: len(here.events.of("Pulled")) == 3)
        assert sorted(here.events.of("Pulled")) == [
            f'Successfully pulled image "registry.example/{number}:1" {text}. Image size: 5000000 bytes.'
            for number, text in enumerate(told)
        ]

    run(test, tmp_path, pulls_at_once=at_once)


@pytest.mark.parametrize("policy", ["IfNotPresent", "Never"])
def test_an_image_is_for_those_who_could_pull_it(tmp_path: Path, policy: str) -> None:
    async def test(here: world.World) -> None:
        here.runtime._images = SlowImages(here.clock, private=True)
        here.api.put("secrets", secret("ann", "secret"))
        again = secret("ann", "secret")
        here.api.put("secrets", {**again, "metadata": {"name": "again", "namespace": "default"}})
        wrong = secret("bob", "wrong")
        here.api.put("secrets", {**wrong, "metadata": {"name": "wrong", "namespace": "default"}})

        def pod(name: str, pull_policy: str, *secrets: str) -> None:
            named = [{"name": one} for one in secrets]
            here.pod(name, containers=[container(image=IMAGE, imagePullPolicy=pull_policy)], imagePullSecrets=named)

        async with here.running():
            pod("first", "IfNotPresent", "there")
            await here.until_running("first")
            pod("same", policy, "there")
            pod("equal", policy, "again")
            pod("none", policy)
            pod("other", policy, "wrong")
            for name in ("same", "equal"):
                await here.until_running(name)
            refused = "ErrImageNeverPull" if policy == "Never" else "ErrImagePull"
            for name in ("none", "other"):
                await here.until(functools.partial(waits_for, here, name, refused))
            assert len(here.events.of("Pulling")) == (1 if policy == "Never" else 3)
            text = f'Container image "{IMAGE}" already present on machine and can be accessed by the pod'
            assert here.events.of("Pulled")[1:] == [text] * 2

    run(test, tmp_path)


def test_a_pod_without_secrets_uses_the_nodes_login(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        here.runtime._images = SlowImages(here.clock, private=True)
        auth = base64.b64encode(b"ann:secret").decode()
        (tmp_path / "config.json").write_text(json.dumps({"auths": {"registry.example": {"auth": auth}}}))
        async with here.running() as kubelet:
            kubelet._node.images._logins = tmp_path / "config.json"  # on paper nothing is read
            here.pod("first", containers=[container(image=IMAGE)])
            await here.until_running("first")
            here.pod("later", containers=[container(image=IMAGE)])
            await here.until_running("later")
            assert len(here.events.of("Pulling")) == 1

    run(test, tmp_path)


def waiting(here: world.World, name: str = "web") -> tuple[str, str]:
    found = here.container(name=name)["state"].get("waiting") or {}
    return found.get("reason", ""), found.get("message", "")


def waits_for(here: world.World, name: str, reason: str) -> bool:
    return bool(here.status(name).get("containerStatuses")) and waiting(here, name)[0] == reason


PULL_FAILURES: list[Any] = [
    pytest.param(
        RuntimeFailure("ErrImagePull", "no such thing"),
        ("ErrImagePull", "no such thing"),
        f'Failed to pull image "{IMAGE}": no such thing',
        id="any",
    ),
    pytest.param(
        RuntimeFailure("RegistryUnavailable", "RegistryUnavailable: it sleeps"),
        ("RegistryUnavailable", f"image pull failed for {IMAGE} because the registry is unavailable: it sleeps"),
        f'Failed to pull image "{IMAGE}": RegistryUnavailable: it sleeps',
        id="no registry",
    ),
    pytest.param(
        RuntimeFailure("SignatureValidationFailed", "SignatureValidationFailed"),
        ("SignatureValidationFailed", f"image pull failed for {IMAGE} because the signature validation failed"),
        f'Failed to pull image "{IMAGE}": SignatureValidationFailed',
        id="wrong signature",
    ),
]


@pytest.mark.parametrize(("failure", "shown", "told"), PULL_FAILURES)
def test_a_pull_that_fails(tmp_path: Path, failure: RuntimeFailure, shown: tuple[str, str], told: str) -> None:
    async def test(here: world.World) -> None:
        here.runtime.images.refuse(IMAGE, failure)
        async with here.running():
            here.pod(containers=[container(image=IMAGE)])
            await here.until(lambda: here.status().get("containerStatuses"))
            assert waiting(here) == shown
            assert here.events.of("Failed") == [told, f"Error: {shown[0]}"]
            await here.until(lambda: waiting(here)[0] == "ImagePullBackOff")
            back_off = f'Back-off pulling image "{IMAGE}"'
            assert waiting(here)[1] == f"{back_off}: {shown[0]}: {shown[1]}"
            assert here.events.of("BackOff") == [back_off]
            assert here.events.of("Failed")[2:] == ["Error: ImagePullBackOff"]
            here.runtime.images.allow(IMAGE)
            await here.until_running()

    run(test, tmp_path)


def test_a_name_that_is_none(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        text = 'Failed to apply default image tag "UPPER": couldn\'t parse image name "UPPER": '
        text += "invalid reference format: repository name (library/UPPER) must be lowercase"
        async with here.running():
            here.pod(containers=[container(image="UPPER")])
            await here.until(lambda: here.status().get("containerStatuses"))
            assert waiting(here) == ("InvalidImageName", text)
            assert here.events.of("InspectFailed") == [text]
            assert here.events.of("Failed") == ["Error: InvalidImageName"]

    run(test, tmp_path)


def test_a_runtime_that_cannot_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(reference: str) -> ImageStatus | None:
        raise RuntimeFailure("CallFailed", "it is away")

    async def test(here: world.World) -> None:
        text = f'Failed to inspect image "{IMAGE}": it is away'
        status = here.runtime.images.status
        monkeypatch.setattr(here.runtime.images, "status", away)
        async with here.running():
            here.pod(containers=[container(image=IMAGE)])
            await here.until(lambda: here.status().get("containerStatuses"))
            assert waiting(here) == ("ImageInspectError", text)
            assert (here.events.of("InspectFailed"), here.events.of("Failed")) == ([text], ["Error: ImageInspectError"])
            monkeypatch.setattr(here.runtime.images, "status", status)
            await here.until_running()

    run(test, tmp_path)


class Robots:
    """A credential provider that knows Ann's login for whoever runs as the service account `robot`."""

    async def credentials(self, pod: Object, image: str) -> list[Credential]:
        assert image == "registry.example/team/app", "by its name alone"
        if pod["spec"].get("serviceAccountName") != "robot":
            return []
        return [Credential(RegistryLogin("ann", "secret"), "uid-robot", "robot", "default", is_of_account=True)]


def test_a_provider_knows_the_login(tmp_path: Path) -> None:
    """And who has no such account does not get the image that is there by then."""

    async def test(here: world.World) -> None:
        here.runtime._images = SlowImages(here.clock, private=True)
        async with here.running() as kubelet:
            kubelet._node.images._providers = Robots()
            here.pod(containers=[container(image=IMAGE)], serviceAccountName="robot")
            await here.until_running()
            here.pod("same", containers=[container(image=IMAGE)], serviceAccountName="robot")
            await here.until_running("same")
            here.pod("other", containers=[container(image=IMAGE)])
            await here.until(lambda: here.events.of("Failed"))
            assert here.events.of("Failed")[0] == f'Failed to pull image "{IMAGE}": pull access denied'
        assert here.events.of("Pulling") == [f'Pulling image "{IMAGE}"'] * 2

    run(test, tmp_path)


@pytest.mark.parametrize(("per_second", "burst", "refused"), [(1, 2, 1), (0, 0, 0), (5, 10, 0)])
def test_not_too_many_pulls_in_a_second(tmp_path: Path, per_second: int, burst: int, refused: int) -> None:
    """Upstream's registryPullQPS and registryBurst; whoever is refused comes again after the backoff."""

    async def test(here: world.World) -> None:
        async with here.running():
            for number in range(3):
                here.pod(f"pod-{number}", containers=[container(image=f"registry.example/{number}:1")])
            await here.until(lambda: len(here.events.of("Pulled")) == 3)
        failures = [one for one in here.events.of("Failed") if one.startswith("Failed to pull")]
        assert failures == ['Failed to pull image "registry.example/2:1": pull QPS exceeded'] * refused

    run(test, tmp_path, pulls_per_second=per_second, pulls_burst=burst)
