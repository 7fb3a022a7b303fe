"""AppArmor: what the field may say, the annotation that came before it, and how one becomes the other."""

import pytest

from steersman.api import app_armor, kinds
from steersman.api.validation import app_armor as validation
from tests.api import builders

KEY = app_armor.ANNOTATION + "c"
HERE = "spec.containers[0].securityContext.appArmorProfile"
LOCAL = {"type": "Localhost", "localhostProfile": "mine"}


def pod(annotation: str | None = None, profile: object = None, of_pod: object = None, name: str = "c"):
    container = builders.container(name=name)
    if profile:
        container["securityContext"] = {"appArmorProfile": profile}
    made = builders.pod(containers=[container])
    if of_pod:
        made["spec"]["securityContext"] = {"appArmorProfile": of_pod}
    if annotation is not None:
        made["metadata"]["annotations"] = {KEY: annotation}
    return made


@pytest.mark.parametrize(
    ("profile", "expect"),
    [
        ({"type": "RuntimeDefault"}, []),
        (LOCAL, []),
        ({"localhostProfile": "x"}, [f"{HERE}.type: Required value: type is required when appArmorProfile is set"]),
        (
            {"type": "Localhost"},
            [f"{HERE}.localhostProfile: Required value: must be set when AppArmor type is Localhost"],
        ),
        (
            {"type": "Localhost", "localhostProfile": " x"},
            [f'{HERE}.localhostProfile: Invalid value: " x": must not be padded with whitespace'],
        ),
        (
            {"type": "Unconfined", "localhostProfile": "x"},
            [f'{HERE}.localhostProfile: Invalid value: "x": can only be set when AppArmor type is Localhost'],
        ),
        (
            {"type": "Some"},
            [f'{HERE}.type: Unsupported value: "Some": supported values: "Localhost", "RuntimeDefault", "Unconfined"'],
        ),
        (
            {"type": "Localhost", "localhostProfile": "x" * 4096},
            [f"{HERE}.localhostProfile: Too long: may not be more than 4095 bytes"],
        ),
    ],
)
def test_profiles(profile, expect):
    assert builders.refused(kinds.POD, pod(profile=profile)) == expect


@pytest.mark.parametrize(
    ("made", "expect"),
    [
        (pod("runtime/default"), []),
        (pod("runtime/default", {"type": "RuntimeDefault"}), []),
        (
            pod("nothing"),
            [f'metadata.annotations[{KEY}]: Invalid value: "nothing": invalid AppArmor profile name: "nothing"'],
        ),
        (pod("unconfined", name="d"), [f'metadata.annotations[{KEY}]: Invalid value: "c": container not found']),
        (
            pod("unconfined", {"type": "RuntimeDefault"}),
            [f"{HERE}.type: Forbidden: apparmor type in annotation and field must match"],
        ),
        (
            pod("localhost/yours", LOCAL),
            [f"{HERE}.localhostProfile: Forbidden: apparmor profile in annotation and field must match"],
        ),
    ],
)
def test_annotations(made, expect):
    assert builders.refused(kinds.POD, made) == expect


@pytest.mark.parametrize(
    ("made", "expect"),
    [
        (pod("localhost/mine"), LOCAL),
        (pod("unconfined"), {"type": "Unconfined"}),
        (pod("runtime/default", of_pod={"type": "RuntimeDefault"}), None),
        (pod("runtime/default", of_pod=LOCAL), {"type": "RuntimeDefault"}),
        (pod("unconfined", LOCAL), LOCAL),
        (pod("nothing"), None),
        (pod("localhost/ x"), None),
        (pod(), None),
    ],
)
def test_annotations_become_fields(made, expect):
    app_armor.sync(made)
    [container] = made["spec"]["containers"]
    assert (container.get("securityContext") or {}).get("appArmorProfile") == expect


@pytest.mark.parametrize(
    ("new", "old", "expect"),
    [
        ("unconfined", "unconfined", ""),
        ("runtime/default", "unconfined", "may not remove or update AppArmor annotations"),
        (None, "unconfined", "may not remove or update AppArmor annotations"),
        ("unconfined", None, "may not add AppArmor annotations"),
    ],
)
def test_annotations_stay_as_they_are(new, old, expect):
    found = validation.validate_update(pod(new), pod(old))
    assert [str(one) for one in found] == ([f"metadata.annotations[{KEY}]: Forbidden: {expect}"] if expect else [])
