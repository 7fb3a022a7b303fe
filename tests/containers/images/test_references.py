"""Names of images, normalised as Docker and containerd do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.containers.images import references

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("user/app", "docker.io/user/app:latest"),
        ("docker.io/busybox", "docker.io/library/busybox:latest"),
        ("index.docker.io/busybox", "docker.io/library/busybox:latest"),
        ("localhost/hello:1", "localhost/hello:1"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
        ("127.0.0.1:5000/x:y", "127.0.0.1:5000/x:y"),
        ("[::1]:5000/x", "[::1]:5000/x:latest"),
        ("quay.io/team/app@" + DIGEST, "quay.io/team/app@" + DIGEST),
        ("quay.io/team/app:1@" + DIGEST, "quay.io/team/app:1@" + DIGEST),
        ("Registry/app", "Registry/app:latest"),
    ],
)
def test_normalise(text: str, expected: str):
    assert references.normalise(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("UPPER", r"repository name \(library/UPPER\) must be lowercase"),
        ("a.io/b/C:1", r"repository name \(b/C\) must be lowercase"),
        ("", "invalid reference format"),
        ("a:b:c", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("a@sha256:short", "invalid reference format"),
        ("-a", "invalid reference format"),
        ("../../etc", "invalid reference format"),
        ("ab" * 32, "cannot specify 64-byte hexadecimal strings"),
        ("x/" + "a" * 255, "must not be more than 255 characters"),
    ],
)
def test_refused(text: str, message: str):
    with pytest.raises(references.InvalidReference, match=message):
        references.parse(text)


@given(st.from_regex(r"[a-z]{1,5}(\.[a-z]{2,3})?(/[a-z0-9]{1,5}){0,3}(:[\w.]{1,8})?", fullmatch=True))
def test_normalising_again_changes_nothing(text: str):
    try:
        once = references.normalise(text)
    except references.InvalidReference:
        return
    assert references.normalise(once) == once
