"""Who may use an image that others have pulled: upstream's `image_credential_pulls.go`, decision and record."""

import base64
import json
from pathlib import Path

import pytest

from steersman.containers.runtime import RegistryLogin
from steersman.kubelet import pull_secrets, pulled_images
from steersman.kubelet.pull_secrets import Credential
from steersman.kubelet.pulled_images import PulledImages
from steersman.meta.objects import Object

IMAGE, OTHER_NAME, ID = "registry.example/team/app:1", "registry.example/copy/app:1", "sha256:1"
NOW = "2026-01-01T00:00:00Z"
ANN, BOB = RegistryLogin("ann", "secret"), RegistryLogin("bob", "secret")
ANNS = Credential(ANN, "uid-1", "anns", "default")
ANNS_ELSEWHERE = Credential(ANN, "uid-2", "anns", "other")
ANNS_CHANGED = Credential(BOB, "uid-1", "anns", "default")
THE_NODES = Credential(ANN)
BOBS = Credential(BOB, "uid-3", "bobs", "default")
ROBOTS = Credential(ANN, "uid-4", "robot", "default", is_of_account=True)
ROBOTS_NOW = Credential(BOB, "uid-4", "robot", "default", is_of_account=True)
ANOTHER_ROBOTS = Credential(ANN, "uid-5", "robot", "default", is_of_account=True)


def record(*used: Credential | None, image: str = IMAGE) -> Object | None:
    found: Object | None = None
    for one in used:
        found = pulled_images.with_use(found, ID, image, one, NOW)
    return found


@pytest.mark.parametrize(
    ("known", "own", "expect"),
    [
        (record(ANNS), [], True),
        (record(ANNS), [ANNS], False),
        (record(ANNS), [ANNS_ELSEWHERE], False),
        (record(ANNS), [ANNS_CHANGED], False),
        (record(ANNS), [BOBS], True),
        (record(ANNS), [BOBS, ANNS], False),
        (record(ANNS, BOBS), [BOBS], False),
        (record(None), [], False),
        (record(THE_NODES), [], False),
        (record(ANNS), [THE_NODES], True),
        (record(ANNS, None), [], False),
        (record(None, ANNS), [], False),
        (record(None, image=OTHER_NAME), [], True),
        (None, [ANNS], True),
        (record(ROBOTS), [ROBOTS_NOW], False),
        (record(ROBOTS), [ANOTHER_ROBOTS], True),
        (record(ROBOTS), [ANNS], True),
        (record(ANNS), [ROBOTS], True),
        (record(ANNS, ROBOTS), [ANNS], False),
    ],
    ids=[
        "no secret",
        "the same secret",
        "the same login in another secret",
        "the same secret with another login",
        "another login",
        "one of two",
        "a later pull's",
        "pulled without a secret",
        "pulled with the node's login",
        "the node's login is no pod's",
        "later pulled without",
        "for all before it was for one",
        "pulled under another name",
        "a pull that nobody saw the end of",
        "the same account, with the login that it has now",
        "another account of that name",
        "a secret with the login of an account",
        "an account with the login of a secret",
        "secrets beside accounts",
    ],
)
def test_whether_the_registry_must_be_asked(known: Object | None, own: list[Credential], expect: bool) -> None:
    assert pulled_images.must_pull(known, IMAGE, own) is expect


@pytest.mark.parametrize(
    ("policy", "preloaded", "listed", "pulled"),
    [
        ("NeverVerify", False, False, False),
        ("NeverVerifyPreloadedImages", False, False, True),
        ("NeverVerifyAllowlistedImages", True, False, True),
        ("AlwaysVerify", True, True, True),
    ],
)
def test_policies(policy: str, preloaded: bool, listed: bool, pulled: bool) -> None:
    assert pulled_images.must_verify(policy, [], IMAGE, pulled_here=False) is preloaded
    for one in ("registry.example/team/app", "registry.example/*"):
        assert pulled_images.must_verify(policy, [one], IMAGE, pulled_here=False) is listed
    assert pulled_images.must_verify(policy, ["registry.example/*"], IMAGE, pulled_here=True) is pulled


def test_a_login_changes_nothing_of_who_else_may() -> None:
    whole = record(ANNS, BOBS, ANNS_CHANGED)
    assert whole is not None
    known = whole["credentialMapping"]["registry.example/team/app"]["kubernetesSecrets"]
    assert [(one["name"], one["credentialHash"]) for one in known] == [("bobs", BOBS.hash), ("anns", BOBS.hash)]
    assert "secret" not in json.dumps(whole).replace("kubernetesSecrets", "")


def test_records_outlive_the_kubelet(tmp_path: Path) -> None:
    first = PulledImages(tmp_path, "NeverVerifyPreloadedImages")
    assert first.may_use(IMAGE, ID, []), "it was here before"
    first.begin(IMAGE)
    assert not first.may_use(IMAGE, ID, [])
    cut_off = PulledImages(tmp_path, "NeverVerifyPreloadedImages")
    assert not cut_off.may_use(IMAGE, ID, [ANNS]), "killed in the middle of a pull"
    cut_off.pulled(IMAGE, ID, ANNS, NOW)
    (tmp_path / "pulled" / "sha256-broken").write_text("{")
    later = PulledImages(tmp_path, "NeverVerifyPreloadedImages")
    assert (later.may_use(IMAGE, ID, [ANNS]), later.may_use(IMAGE, ID, [])) == (True, False)
    assert len(list((tmp_path / "pulled").iterdir())) == 1
    assert not list((tmp_path / "pulling").iterdir())
    later.keep_only([])
    assert later.may_use(IMAGE, ID, []), "it went, and came back in another way"
    assert not list((tmp_path / "pulled").iterdir())


def test_a_pull_that_fails_leaves_nothing(tmp_path: Path) -> None:
    images = PulledImages(tmp_path, "NeverVerifyPreloadedImages")
    images.begin(IMAGE)
    images.failed(IMAGE)
    images.failed(IMAGE)
    assert images.may_use(IMAGE, ID, [])


def test_logins_of_the_node(tmp_path: Path) -> None:
    """Upstream's `runtime_conformance_test.go`: config.json in the kubelet's folder."""
    file = tmp_path / "config.json"
    assert pull_secrets.of_node(file, IMAGE) == []
    auth = base64.b64encode(b"ann:secret").decode()
    file.write_text(json.dumps({"auths": {"registry.example": {"auth": auth}, "other.example": {"auth": auth}}}))
    assert pull_secrets.of_node(file, IMAGE) == [THE_NODES]
    assert pull_secrets.of_node(file, "busybox") == []
    for text in ("{", "[]", '{"auths": {"registry.example": {}}}'):
        file.write_text(text)
        assert pull_secrets.of_node(file, IMAGE) == []
