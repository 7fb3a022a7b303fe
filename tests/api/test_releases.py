"""Which kinds each release has."""

import pytest

from steersman.api import kinds, releases, schema
from steersman.api.managed_fields import compiling

ALL = [f"1.{minor}.0" for minor in range(releases.OLDEST_MINOR, releases.NEWEST_MINOR + 1)]


@pytest.mark.parametrize(
    ("text", "release"), [("1.27", "1.27.0"), ("v1.31.4", "1.31.0"), (schema.RELEASE, schema.RELEASE)]
)
def test_names_of_releases(text, release):
    assert releases.parse(text) == release


@pytest.mark.parametrize("text", ["1.26", "1.99", "2.30", "", "latest", "1.x"])
def test_what_is_no_release(text):
    with pytest.raises(releases.UnknownRelease, match=r"is no release from 1\.27 to 1\.37"):
        releases.parse(text)


@pytest.mark.parametrize("release", ALL)
def test_what_is_served_has_a_type_in_the_release(release):
    types = schema.of_release(release)
    found = list(releases.kinds_of(release))
    assert all(types.name_of(row.group, row.version, row.kind) for row in found)
    core = {row.plural for row in found if not row.group}
    assert {"pods", "services", "nodes", "namespaces", "configmaps", "secrets"} <= core
    assert all(row.stored in list(kinds.BUILTIN) for row in found)


def test_the_newest_release_is_the_table():
    assert releases.kinds_of(schema.RELEASE) is kinds.BUILTIN


@pytest.mark.parametrize(
    ("resource", "since"),
    [
        (("resource.k8s.io", "v1", "resourceclaims"), 34),
        (("networking.k8s.io", "v1", "ipaddresses"), 33),
        (("certificates.k8s.io", "v1", "clustertrustbundles"), 37),
        (("scheduling.k8s.io", "v1beta1", "podgroups"), 37),
    ],
    ids=lambda value: str(value),
)
def test_kinds_come_with_their_release(resource, since):
    assert releases.kinds_of(f"1.{since}.0").of_resource(*resource) is not None
    assert releases.kinds_of(f"1.{since - 1}.0").of_resource(*resource) is None


def test_betas_of_older_releases_are_views_of_what_is_stable_now():
    beta = releases.kinds_of("1.33.0").of_resource("networking.k8s.io", "v1beta1", "ipaddresses")
    assert beta is not None
    assert beta.stored is kinds.IP_ADDRESS
    assert compiling.of_kind(beta).api_version == "networking.k8s.io/v1beta1"
    assert compiling.of_kind(beta).root is compiling.of_kind(kinds.IP_ADDRESS).root


def test_betas_of_another_shape_are_not_served():
    rows = releases.kinds_of("1.31.0")
    assert rows.of_resource("coordination.k8s.io", "v1alpha1", "leasecandidates") is None
    assert rows.of_resource("storagemigration.k8s.io", "v1alpha1", "storageversionmigrations") is None
