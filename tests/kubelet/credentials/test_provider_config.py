"""CredentialProviderConfig, right and wrong: after upstream's config_test.go."""

import json
from pathlib import Path
from typing import Any

import pytest

from steersman.kubelet.credentials import provider_config
from steersman.kubelet.credentials.provider_config import PROTOCOL, Malformed, Provider, Tokens
from steersman.meta.objects import Object

TOKENS = {"serviceAccountTokenAudience": "reg", "requireServiceAccount": True, "cacheType": "Token"}


def provider(**fields: Any) -> Object:
    made = {"name": "ask", "matchImages": ["registry.io"], "defaultCacheDuration": "10m", "apiVersion": PROTOCOL}
    return {key: value for key, value in {**made, **fields}.items() if value is not None}


def with_tokens(**fields: Any) -> Object:
    found = {**TOKENS, **fields}
    return provider(tokenAttributes={key: value for key, value in found.items() if value is not None})


def config(*providers: Object, **fields: Any) -> str:
    made = {"apiVersion": "kubelet.config.k8s.io/v1", "kind": "CredentialProviderConfig", "providers": list(providers)}
    return json.dumps({**made, **fields})


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, mode in (("ask", 0o755), ("more", 0o755), ("closed", 0o644)):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(mode)
    return folder


def test_all_of_it(tmp_path: Path, programs: Path) -> None:
    file = tmp_path / "config.json"
    whole = {**with_tokens(cacheType="ServiceAccount", requiredServiceAccountAnnotationKeys=["a.io/b"]), "args": ["x"]}
    file.write_text(config({**whole, "env": [{"name": "A", "value": "1"}]}))
    tokens = Tokens("reg", "ServiceAccount", True, ("a.io/b",))
    expect = Provider("ask", ("registry.io",), 600.0, PROTOCOL, ("x",), (("A", "1"),), tokens)
    assert provider_config.read(file, programs) == (expect,)


def test_a_folder_of_files(tmp_path: Path, programs: Path) -> None:
    folder = tmp_path / "config.d"
    folder.mkdir()
    (folder / "2.json").write_text(config(provider()))
    (folder / "1.yaml").write_text(config(provider(name="more")))
    (folder / "notes.txt").write_text("not one")
    assert [one.name for one in provider_config.read(folder, programs)] == ["more", "ask"]
    (folder / "3.yml").write_text(config(provider()))
    with pytest.raises(Malformed, match=r'duplicate provider name "ask" found in configuration file\(s\)'):
        provider_config.read(folder, programs)


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("{", 'error decoding config "FILE": '),
        ("[]", 'error decoding config "FILE": not a CredentialProviderConfig'),
        (config(provider(), kind="Other"), 'error decoding config "FILE": not a CredentialProviderConfig'),
        (config(provider(), apiVersion="v1"), 'error decoding config "FILE": not a CredentialProviderConfig'),
        (config(provider(typo=1)), 'strict decoding error: unknown field "providers[0].typo"'),
        (config(with_tokens(typo=1)), 'unknown field "providers[0].tokenAttributes.typo"'),
        (config(provider(), provider()), "duplicate provider name"),
        (config(provider(name="gone")), "plugin binary executable DIR/gone did not exist"),
        (config(provider(name="closed")), "error inspecting binary executable DIR/closed"),
        (config(provider(name="..")), "providers.name: Invalid value: \"..\": provider name cannot be '..'"),
    ],
)
def test_files_that_are_not_used(tmp_path: Path, programs: Path, text: str, expect: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(Malformed) as refused:
        provider_config.read(file, programs)
    assert expect.replace("FILE", str(file)).replace("DIR", str(programs)) in str(refused.value)


def test_nowhere(tmp_path: Path, programs: Path) -> None:
    with pytest.raises(Malformed, match="plugin binary directory /nowhere did not exist"):
        provider_config.read(tmp_path, "/nowhere")
    with pytest.raises(Malformed, match="no configuration files found in directory"):
        provider_config.read(programs, programs)
    with pytest.raises(OSError, match="gone"):
        provider_config.read(tmp_path / "gone", programs)


KEYS = "providers.tokenAttributes.requiredServiceAccountAnnotationKeys"
TYPES = "ServiceAccount, Token"


@pytest.mark.parametrize(
    ("providers", "expect"),
    [
        ([provider()], []),
        ([with_tokens()], []),
        ([], ["providers: Required value: at least 1 item in plugins is required"]),
        ([provider(name="a/b")], ["providers.name: Invalid value: \"a/b\": provider name cannot contain '/'"]),
        ([provider(name="a b")], ['providers.name: Invalid value: "a b": provider name cannot contain spaces']),
        ([provider(name=".")], ["providers.name: Invalid value: \".\": provider name cannot be '.'"]),
        ([provider(), provider()], ['providers.name: Duplicate value: "ask"']),
        ([provider(apiVersion=None)], ["providers.apiVersion: Required value"]),
        (
            [provider(apiVersion="v2")],
            [
                f'providers.apiVersion: Unsupported value: "v2": supported values: "{PROTOCOL}", "{PROTOCOL}alpha1", '
                f'"{PROTOCOL}beta1"'
            ],
        ),
        (
            [provider(matchImages=[])],
            ["providers.matchImages: Required value: at least 1 item in matchImages is required"],
        ),
        (
            [provider(matchImages=["%invalid%"])],
            [
                'providers.matchImages: Invalid value: "%invalid%": match image is invalid: '
                'parse "https://%invalid%": invalid URL escape "%in"'
            ],
        ),
        ([provider(defaultCacheDuration=None)], ["providers.defaultCacheDuration: Required value"]),
        (
            [provider(defaultCacheDuration="-1m")],
            [
                'providers.defaultCacheDuration: Invalid value: "-1m": defaultCacheDuration must be greater than or equal to 0'
            ],
        ),
        (
            [with_tokens(serviceAccountTokenAudience="")],
            ["providers.tokenAttributes.serviceAccountTokenAudience: Required value"],
        ),
        (
            [with_tokens(requireServiceAccount=None)],
            ["providers.tokenAttributes.requireServiceAccount: Required value"],
        ),
        (
            [{**with_tokens(), "apiVersion": f"{PROTOCOL}beta1"}],
            [f"providers.tokenAttributes: Forbidden: tokenAttributes is only supported for {PROTOCOL} API version"],
        ),
        (
            [with_tokens(requireServiceAccount=False, requiredServiceAccountAnnotationKeys=["a"])],
            [
                f"{KEYS}: Forbidden: requireServiceAccount cannot be false when requiredServiceAccountAnnotationKeys is set"
            ],
        ),
        ([with_tokens(requiredServiceAccountAnnotationKeys=["a", "a"])], [f'{KEYS}: Duplicate value: "a"']),
        (
            [with_tokens(requiredServiceAccountAnnotationKeys=["a"], optionalServiceAccountAnnotationKeys=["a"])],
            ['providers.tokenAttributes: Invalid value: ["a"]: annotation keys cannot be both required and optional'],
        ),
        (
            [with_tokens(cacheType=None)],
            [
                "providers.tokenAttributes.cacheType: Required value: cacheType is required to be set when tokenAttributes "
                f"is specified. Supported values are: {TYPES}"
            ],
        ),
        (
            [with_tokens(cacheType="Pod")],
            [
                'providers.tokenAttributes.cacheType: Unsupported value: "Pod": supported values: "ServiceAccount", "Token"'
            ],
        ),
    ],
)
def test_validation(providers: list[Object], expect: list[str]) -> None:
    assert list(map(str, provider_config.validate(providers))) == expect


def test_annotation_keys_are_qualified_names_of_any_case() -> None:
    assert provider_config.validate([with_tokens(optionalServiceAccountAnnotationKeys=["Domain.IO/Key"])]) == []
    [wrong] = provider_config.validate([with_tokens(optionalServiceAccountAnnotationKeys=["a/b/c"])])
    assert "a qualified name must consist of" in str(wrong)
