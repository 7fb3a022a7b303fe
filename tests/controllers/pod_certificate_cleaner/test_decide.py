"""When a pod's certificate request goes."""

import pytest

from steersman.controllers.pod_certificate_cleaner import decide
from steersman.controllers.pod_certificate_cleaner.decide import Seen
from tests.controllers import shapes


@pytest.mark.parametrize(
    ("made", "deletes", "again"),
    [("2026-01-01T12:00:00Z", 0, 900.0), ("2026-01-01T11:45:01Z", 0, 1.0), ("2026-01-01T11:45:00Z", 1, None)],
)
def test_requests(made, deletes, again):
    request = {"metadata": {"name": "r", "namespace": "default", "uid": "r", "creationTimestamp": made}}
    found = decide.decide(Seen(request, shapes.NOW))
    assert (len(found.actions), found.again_after_seconds) == (deletes, again)
