"""Programs that are asked for logins: what they hear, and what is made of what they say."""

import json
from pathlib import Path
from typing import Any

import pytest

from steersman.aio.clock import SystemClock
from steersman.containers.runtime import RegistryLogin
from steersman.kubelet.credentials import plugin
from steersman.kubelet.credentials.plugin import Failed, Response
from steersman.kubelet.credentials.provider_config import PROTOCOL, Provider
from steersman.kubelet.metrics import Metrics
from steersman.meta.objects import Object

ASK = Provider("ask", ("registry.io",), 60.0, arguments=("get", "logins"), environment=(("SECRET", "s3"),))
REQUEST = plugin.request_of(ASK, "registry.io/app", "", {})


def answer(**fields: Any) -> Object:
    auth = {"registry.io": {"username": "ann", "password": "secret"}}
    made = {"kind": "CredentialProviderResponse", "apiVersion": PROTOCOL, "cacheKeyType": "Registry", "auth": auth}
    return {**made, **fields}


@pytest.mark.parametrize(
    ("found", "expect"),
    [
        (answer(), Response({"registry.io": RegistryLogin("ann", "secret")}, "Registry", None)),
        (answer(cacheDuration="1h30m0s", auth=None), Response({}, "Registry", 5400.0)),
        (answer(cacheDuration="0s", cacheKeyType="Image", auth={}), Response({}, "Image", 0.0)),
        (answer(auth={"a": {}}), Response({"a": RegistryLogin()}, "Registry", None)),
    ],
)
def test_answers(found: Object, expect: Response) -> None:
    assert plugin.response_of(ASK, json.dumps(found).encode()) == expect


UNREADABLE = "error decoding credential provider plugin response from stdout"


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (b"", "error reading GVK from response"),
        (b"[]", "error reading GVK from response"),
        (
            json.dumps(answer(apiVersion="v1")).encode(),
            f"did not match expected apiVersion:{PROTOCOL}, actual apiVersion:v1",
        ),
        (json.dumps(answer(kind="Other")).encode(), UNREADABLE),
        (json.dumps(answer(typo=1)).encode(), UNREADABLE),
        (json.dumps(answer(auth={"a": {"secret": "x"}})).encode(), UNREADABLE),
        (json.dumps(answer(auth=["a"])).encode(), UNREADABLE),
        (json.dumps(answer(cacheDuration="soon")).encode(), UNREADABLE),
        (json.dumps(answer(cacheKeyType="Pod")).encode(), 'did not return a valid cacheKeyType: "Pod"'),
    ],
)
def test_what_is_no_answer(output: bytes, why: str) -> None:
    with pytest.raises(Failed) as refused:
        plugin.response_of(ASK, output)
    assert why in str(refused.value)


def program(folder: Path, text: str) -> Path:
    file = folder / ASK.name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return folder


async def test_a_program_hears_the_request_its_arguments_and_its_environment(tmp_path: Path) -> None:
    said = json.dumps(answer()).replace('"ann"', '"$1 $2 $SECRET ${HOME:+home}"').replace('"', '\\"')
    folder = program(tmp_path, f'cat > {tmp_path}/heard\necho "{said}"')
    metrics = Metrics(SystemClock())
    found = await plugin.ask(folder, ASK, REQUEST, SystemClock(), metrics)
    assert found.logins["registry.io"].username == "get logins s3 home"
    assert json.loads((tmp_path / "heard").read_text()) == REQUEST
    assert [one.value for one in metrics.samples("kubelet_credential_provider_plugin_duration")][-1] == 1
    assert not list(metrics.samples("kubelet_credential_provider_plugin_errors"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo no such user >&2; exit 3", "exit status 3: no such user\n"),
        ("kill -9 $$", "signal: 9: "),
        ("exec sleep 30", "context deadline exceeded"),
    ],
    ids=["fails", "killed", "too slow"],
)
async def test_a_program_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, why: str) -> None:
    if "sleep" in text:
        monkeypatch.setattr(plugin, "SECONDS_MOST", 0.05)
    metrics = Metrics(SystemClock())
    with pytest.raises(Failed) as refused:
        await plugin.ask(program(tmp_path, text), ASK, REQUEST, SystemClock(), metrics)
    assert str(refused.value) == f"error execing credential provider plugin ask for image registry.io/app: {why}"
    assert [one.value for one in metrics.samples("kubelet_credential_provider_plugin_errors")] == [1]


async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"fork/exec .*/ask: No such file or directory"):
        await plugin.ask(tmp_path, ASK, REQUEST, SystemClock(), Metrics(SystemClock()))
