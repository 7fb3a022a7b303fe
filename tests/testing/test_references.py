import pytest

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.testing import references


@pytest.mark.parametrize(
    ("what", "kind", "name"),
    [
        pytest.param("deployment/web", kinds.DEPLOYMENT, "web", id="kind and name"),
        pytest.param("deploy/web", kinds.DEPLOYMENT, "web", id="short"),
        pytest.param("deployments.apps/web", kinds.DEPLOYMENT, "web", id="with group"),
        pytest.param("Pod", kinds.POD, "", id="kind"),
        pytest.param("po", kinds.POD, "", id="no name"),
    ],
)
def test_split(what, kind, name):
    named, found = references.split(what)
    assert (references.kind(named), found) == (kind, name)


def test_name_apart():
    assert references.split("pods", "web-1") == ("pods", "web-1")


def test_custom_kinds_come_behind_built_in_ones():
    shadow = Kind("example.com", "v1", "Pod", "pods", "pod")
    crontab = Kind("example.com", "v1", "CronTab", "crontabs", "crontab", short_names=("ct",))
    rows = (shadow, crontab)
    assert references.kind("pods", rows) is kinds.POD
    assert references.kind("pods.example.com", rows) is shadow
    assert references.kind("ct", rows) is crontab
    assert references.of_object({"apiVersion": "example.com/v1", "kind": "CronTab"}, rows) is crontab


def test_unknown_kind():
    with pytest.raises(references.UnknownKind, match="doesn't have a resource type 'nonsense'"):
        references.kind("nonsense")
