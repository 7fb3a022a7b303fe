import pytest

from steersman.api import kinds
from tests.api import builders


def budget(**spec):
    return builders.of_kind(kinds.POD_DISRUPTION_BUDGET, spec=spec)


CASES = {
    "right": (budget(minAvailable="50%", selector={}, unhealthyPodEvictionPolicy="AlwaysAllow"), []),
    "both": (
        budget(minAvailable=1, maxUnavailable=1),
        ['spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set'],
    ),
    "negative": (
        budget(minAvailable=-1), ["spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"],
    ),
    "more than everything": (
        budget(maxUnavailable="101%"), ['spec.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
    ),
    "policy": (
        budget(unhealthyPodEvictionPolicy="Never"),
        [
            'spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": '
            'supported values: "AlwaysAllow", "IfHealthyBudget"'
        ],
    ),
    "selector": (
        budget(selector={"matchExpressions": [{"key": "a", "operator": "In"}]}),
        [
            "spec.selector.matchExpressions[0].values: Required value: "
            "must be specified when `operator` is 'In' or 'NotIn'"
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("new", "expect"), CASES.values(), ids=CASES.keys())
def test_disruption_budgets(new, expect):
    assert builders.refused(kinds.POD_DISRUPTION_BUDGET, new) == expect
