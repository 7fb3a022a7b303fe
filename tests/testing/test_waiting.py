import pytest

from steersman.testing import waiting

AVAILABLE = {"type": "Available", "status": "True"}


def deployment(generation, observed, *conditions):
    return {
        "metadata": {"generation": generation},
        "status": {"observedGeneration": observed, "conditions": [*conditions]},
    }


@pytest.mark.parametrize(
    ("obj", "wish", "expect"),
    [
        pytest.param(None, "Deleted", True, id="gone"),
        pytest.param({"metadata": {}}, "Deleted", False, id="not gone"),
        pytest.param(None, "Exists", False, id="not there"),
        pytest.param({"metadata": {}}, "Exists", True, id="there"),
        pytest.param({"metadata": {}, "status": {"phase": "Running"}}, "Running", True, id="phase"),
        pytest.param({"metadata": {}, "status": {"phase": "Pending"}}, "Running", False, id="other phase"),
        pytest.param(deployment(2, 2, AVAILABLE), "Available", True, id="condition"),
        pytest.param(deployment(2, 1, AVAILABLE), "Available", False, id="condition of an older generation"),
        pytest.param(deployment(2, 2), "Available", False, id="no condition"),
        pytest.param({"metadata": {}, "x": 1}, lambda obj: obj["x"] == 1, True, id="function"),
    ],
)
def test_is_fulfilled(obj, wish, expect):
    assert waiting.is_fulfilled(obj, wish) is expect
