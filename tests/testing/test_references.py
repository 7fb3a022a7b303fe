import pytest

from steersman.api import kinds
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
    assert references.split(what) == (kind, name)


def test_name_apart():
    assert references.split("pods", "web-1") == (kinds.POD, "web-1")


def test_unknown_kind():
    with pytest.raises(references.UnknownKind, match="doesn't have a resource type 'nonsense'"):
        references.kind("nonsense")
