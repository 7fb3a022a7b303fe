"""Images on their way to the node: whose secrets are used, and what is said of those that are not there."""

import base64
import json
from pathlib import Path

import pytest

from steersman.containers.runtime import RegistryLogin
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
            return await pull(reference, login)

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
