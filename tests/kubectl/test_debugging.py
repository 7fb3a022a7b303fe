"""Containers and pods that `debug` makes, in each profile."""

import dataclasses
from typing import Any

import pytest

from steersman.kubectl import debug_profiles, debugging
from steersman.kubectl.debug_profiles import Keep
from steersman.kubectl.debugging import Wanted

OWN = {"capabilities": {"add": ["CHOWN"], "drop": ["KILL"]}, "privileged": False}
POD: dict[str, Any] = {
    "metadata": {
        "name": "web",
        "namespace": "default",
        "uid": "1",
        "labels": {"app": "web"},
        "annotations": {"a": "b"},
    },
    "spec": {
        "nodeName": "n1",
        "initContainers": [{"name": "init", "image": "i"}],
        "containers": [
            {
                "name": "main",
                "image": "i",
                "command": ["serve"],
                "args": ["x"],
                "livenessProbe": {},
                "readinessProbe": {},
                "startupProbe": {},
                "securityContext": OWN,
            }
        ],
        "ephemeralContainers": [{"name": "old", "image": "i"}],
    },
    "status": {"phase": "Running"},
}
RESTRICTED = {
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "allowPrivilegeEscalation": False,
    "seccompProfile": {"type": "RuntimeDefault"},
}
# profile → what a new container may do, what the pod's own may do when it is the one that is changed
CONTEXTS: dict[str, tuple[Any, Any]] = {
    "legacy": (None, OWN),
    "general": (
        {"capabilities": {"add": ["SYS_PTRACE"]}},
        {**OWN, "capabilities": {"add": ["CHOWN", "SYS_PTRACE"], "drop": ["KILL"]}},
    ),
    "baseline": (None, None),
    "restricted": (RESTRICTED, RESTRICTED),
    "netadmin": (
        {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}},
        {**OWN, "capabilities": {"add": ["CHOWN", "NET_ADMIN", "NET_RAW"], "drop": ["KILL"]}},
    ),
    "sysadmin": ({"privileged": True}, {**OWN, "privileged": True}),
}


def wanted(profile: str = "general", **more: Any) -> Wanted:
    return Wanted(profile=profile, image="tools", arguments=("sh", "-c", "x"), copy_to="copy", **more)


def no_name(pod: dict[str, Any]) -> str:
    raise AssertionError("a name was given")


@pytest.mark.parametrize("profile", debug_profiles.PROFILES)
def test_beside_the_others(profile: str) -> None:
    pod = debugging.beside(POD, "look", wanted(profile, target="main", stdin=True, env={"A": "b"}))
    old, new = pod["spec"]["ephemeralContainers"]
    assert old == {"name": "old", "image": "i"}
    assert new.pop("securityContext", None) == CONTEXTS[profile][0]
    assert new == {
        "name": "look",
        "image": "tools",
        "terminationMessagePolicy": "File",
        "command": ["sh", "-c", "x"],
        "env": [{"name": "A", "value": "b"}],
        "stdin": True,
        "targetContainerName": "main",
    }
    assert len(POD["spec"]["ephemeralContainers"]) == 1


@pytest.mark.parametrize("profile", debug_profiles.PROFILES)
def test_in_a_copy(profile: str) -> None:
    pod, name = debugging.copied(POD, "look", wanted(profile), no_name)
    main, look = pod["spec"]["containers"]
    assert (name, look["name"]) == ("look", "look")
    assert look.get("securityContext") == CONTEXTS[profile][0]
    assert main["securityContext"] == OWN
    is_legacy = profile == "legacy"
    assert "labels" not in pod["metadata"]
    assert ("annotations" in pod["metadata"]) is is_legacy
    assert ("livenessProbe" in main) is is_legacy
    assert pod["spec"].get("shareProcessNamespace") is (None if is_legacy else True)
    assert "ephemeralContainers" not in pod["spec"]
    assert "nodeName" not in pod["spec"]
    assert len(pod["spec"]["initContainers"]) == 1
    assert pod["metadata"]["namespace"] == "default"
    assert "uid" not in pod["metadata"]


@pytest.mark.parametrize("profile", debug_profiles.PROFILES)
def test_a_copy_whose_own_container_is_changed(profile: str) -> None:
    pod, name = debugging.copied(POD, "main", dataclasses.replace(wanted(profile), image=""), no_name)
    (main,) = pod["spec"]["containers"]
    assert name == "main"
    assert main.get("securityContext") == CONTEXTS[profile][1]
    assert (main["command"], "args" in main, main["image"]) == (["sh", "-c", "x"], False, "i")
    assert POD["spec"]["containers"][0]["command"] == ["serve"]


def test_what_a_copy_keeps() -> None:
    keep = Keep(labels=True, annotations=True, liveness=True, init_containers=False)
    pod, _ = debugging.copied(POD, "look", wanted(keep=keep, same_node=True, share_processes=False), no_name)
    assert pod["metadata"]["labels"] == {"app": "web"}
    assert pod["metadata"]["annotations"] == {"a": "b"}
    assert [field for field in pod["spec"]["containers"][0] if "Probe" in field] == ["livenessProbe"]
    assert "initContainers" not in pod["spec"]
    assert pod["spec"]["nodeName"] == "n1"
    assert pod["spec"]["shareProcessNamespace"] is False


def test_a_copy_with_other_images() -> None:
    only_images = Wanted(copy_to="copy", set_images={"*": "all", "main": "mine"})
    pod, name = debugging.copied(POD, "", only_images, no_name)
    assert (name, pod["spec"]["containers"][0]["image"]) == ("", "mine")
    assert pod["metadata"]["labels"] == {"app": "web"}
    with pytest.raises(debugging.DebugError, match="you must specify image when creating new container"):
        debugging.copied(POD, "new", Wanted(copy_to="copy", arguments=("sh",)), no_name)
    _, made = debugging.copied(POD, "", wanted(), lambda pod: "made")
    assert made == "made"


@pytest.mark.parametrize(
    ("profile", "host", "mounts"),
    [
        ("legacy", True, True),
        ("general", True, True),
        ("baseline", False, False),
        ("restricted", False, False),
        ("netadmin", True, False),
        ("sysadmin", True, True),
    ],
)
def test_on_a_node(profile: str, host: bool, mounts: bool) -> None:
    pod = debugging.on_node("n1", "node-debugger-n1-x", "debugger", wanted(profile))
    spec = pod["spec"]
    assert [spec.get(field, False) for field in ("hostPID", "hostNetwork", "hostIPC")] == [host] * 3
    (container,) = spec["containers"]
    assert ("volumes" in spec, "volumeMounts" in container) == (mounts, mounts)
    assert (spec["nodeName"], spec["restartPolicy"]) == ("n1", "Never")
    expect = None if profile == "general" else CONTEXTS[profile][0]
    assert container.get("securityContext") == expect


def test_a_custom_profile_changes_what_it_names() -> None:
    custom = {"name": "other", "env": [{"name": "B", "value": "2"}], "securityContext": {"runAsUser": 0}}
    pod = debugging.beside(POD, "look", wanted(env={"A": "1"}, custom=custom))
    container = pod["spec"]["ephemeralContainers"][-1]
    assert container["name"] == "look"
    assert container["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    assert container["securityContext"] == {"capabilities": {"add": ["SYS_PTRACE"]}, "runAsUser": 0}
    with pytest.raises(debugging.DebugError, match="not modifiable via custom profile"):
        debugging.check_custom({"image": "other"})


def test_rights_that_another_user_would_not_have() -> None:
    pod = {"spec": {"securityContext": {"runAsUser": 1000}}}
    strong = {"securityContext": {"capabilities": {"add": ["NET_RAW"]}}}
    assert debugging.may_lack_rights(pod, strong)
    assert not debugging.may_lack_rights({"spec": {}}, strong)
    assert not debugging.may_lack_rights(pod, {"securityContext": {**strong["securityContext"], "runAsUser": 0}})
    assert not debugging.may_lack_rights(pod, {"securityContext": {}})
    assert not debugging.may_lack_rights(pod, {})


@pytest.mark.parametrize(
    ("text", "is_image"),
    [
        ("busybox", True),
        ("localhost/hello:1", True),
        ("registry.example:5000/a/b_c:v1@sha256:" + "0" * 64, True),
        ("[::1]:5000/a", True),
        ("", False),
        ("A", False),
        ("a b", False),
        ("a:", False),
        ("a//b", False),
    ],
)
def test_images(text: str, is_image: bool) -> None:
    assert debugging.is_image(text) is is_image
