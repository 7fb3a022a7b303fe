"""Credential plugins: what they are told, what they may say, and that they are asked again in time."""

import datetime
import json
import pathlib

import pytest

from steersman.client import exec_credentials, kubeconfig
from steersman.client.exec_credentials import Credential
from steersman.client.http_connection import Unreachable

V1 = "client.authentication.k8s.io/v1"
CLUSTER = {
    "server": "https://a",
    "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}],
}


def test_what_a_plugin_is_told() -> None:
    config = {"apiVersion": V1, "command": "x", "provideClusterInfo": True}
    assert exec_credentials.question(config, CLUSTER, interactive=True) == {
        "kind": "ExecCredential",
        "apiVersion": V1,
        "spec": {"interactive": True, "cluster": {"server": "https://a", "config": {"audience": "x"}}},
    }


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"token": "t"}, Credential("t")),
        (
            {"token": "t", "expirationTimestamp": "2026-01-01T00:00:00Z"},
            Credential("t", until=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)),
        ),
        ({"clientCertificateData": "c", "clientKeyData": "k"}, Credential("", b"c", b"k")),
    ],
)
def test_what_a_plugin_may_say(status: dict[str, str], expected: Credential) -> None:
    text = json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status}).encode()
    assert exec_credentials.answer(text, V1) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no", "decoding stdout"),
        (
            f'{{"apiVersion": "{V1}beta1"}}',
            f"plugin is configured to use API version {V1}, plugin returned version {V1}beta1",
        ),
        (f'{{"apiVersion": "{V1}"}}', "didn't return a status field"),
        (f'{{"apiVersion": "{V1}", "status": {{}}}}', "didn't return a token or cert/key pair"),
        (f'{{"apiVersion": "{V1}", "status": {{"clientKeyData": "k"}}}}', "returned only certificate or key, not both"),
    ],
)
def test_what_a_plugin_may_not_say(text: str, said: str) -> None:
    with pytest.raises(Unreachable, match=said):
        exec_credentials.answer(text.encode(), V1)


def plugin(folder: pathlib.Path, body: str) -> dict[str, object]:
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    env = [{"name": "WHO", "value": "me"}]
    return {"apiVersion": V1, "command": str(path), "args": ["a"], "env": env, "interactiveMode": "Never"}


def test_the_access_has_what_the_plugin_lends_and_asks_again(tmp_path: pathlib.Path) -> None:
    answer = f'{{"apiVersion": "{V1}", "kind": "ExecCredential", "status": {{"token": "\'$WHO-$1-$(wc -l < {tmp_path}/count)\'"}}}}'
    body = f"echo >> {tmp_path}/count; echo '{answer}'"
    access = kubeconfig.access_of(CLUSTER, {"exec": plugin(tmp_path, body)})
    assert access.lender is not None
    assert [access.lender()[0] for _ in range(2)] == ["me-a-1", "me-a-2"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("/bin/false", "executable /bin/false failed with exit code 1"),
        ("no-such-plugin", "executable no-such-plugin not found"),
    ],
)
def test_a_plugin_that_fails(command: str, said: str) -> None:
    config = {"apiVersion": V1, "command": command, "interactiveMode": "Never", "installHint": "Get it."}
    with pytest.raises(Unreachable, match=said):
        kubeconfig.access_of(CLUSTER, {"exec": config})


def test_whom_a_user_acts_as_is_told_with_every_request() -> None:
    who = {"as": "bob", "as-uid": "7", "as-groups": ["a", "b"], "as-user-extra": {"Scopes/x": ["1", "2"]}}
    assert kubeconfig.access_of({"server": "https://a"}, who).headers == (
        ("impersonate-user", "bob"),
        ("impersonate-uid", "7"),
        ("impersonate-group", "a\nb"),
        ("impersonate-extra-scopes%2Fx", "1\n2"),
    )
