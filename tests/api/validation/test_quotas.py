import pytest

from steersman.api import kinds
from tests.api import builders


def quota(hard=None, **spec):
    return builders.of_kind(kinds.RESOURCE_QUOTA, spec={"hard": hard or {}, **spec})


def selector(scope, operator, *values):
    return {"matchExpressions": [{"scopeName": scope, "operator": operator, "values": list(values)}]}


EXISTS_ONLY = (
    "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
QUOTAS = {
    "right": (
        quota({"pods": "1", "count/jobs.batch": "2", "requests.example.com/gpu": "1", "hugepages-2Mi": "1Gi"}),
        [],
    ),
    "not a resource": (
        quota({"nonsense": "1"}),
        [
            'spec.hard[nonsense]: Invalid value: "nonsense": must be a standard resource type or fully qualified',
            'spec.hard[nonsense]: Invalid value: "nonsense": must be a standard resource for quota',
        ],
    ),
    "negative": (quota({"cpu": "-1"}), ['spec.hard[cpu]: Invalid value: "-1": must be greater than or equal to 0']),
    "half a pod": (quota({"pods": "500m"}), ['spec.hard[pods]: Invalid value: "500m": must be an integer']),
    "unknown scope": (quota(scopes=["Odd"]), ['spec.scopes: Invalid value: ["Odd"]: unsupported scope']),
    "scope of other things": (
        quota({"cpu": "1"}, scopes=["BestEffort"]),
        ['spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource'],
    ),
    "opposite scopes": (
        quota(scopes=["Terminating", "NotTerminating"]),
        ['spec.scopes: Invalid value: ["Terminating","NotTerminating"]: conflicting scopes'],
    ),
    "only whether it exists": (
        quota(scopeSelector=selector("BestEffort", "In", "a")),
        [f'spec.scopeSelector.matchExpressions.operator: Invalid value: "In": {EXISTS_ONLY}'],
    ),
    "no values": (
        quota(scopeSelector=selector("PriorityClass", "In")),
        [
            "spec.scopeSelector.matchExpressions.values: Required value: "
            "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
        ],
    ),
}


@pytest.mark.parametrize(("new", "expect"), QUOTAS.values(), ids=QUOTAS.keys())
def test_resource_quotas(new, expect):
    assert builders.refused(kinds.RESOURCE_QUOTA, new) == expect


def test_scopes_are_for_ever():
    [error] = builders.refused(kinds.RESOURCE_QUOTA, quota(scopes=["BestEffort"]), quota())
    assert error == 'spec.scopes: Invalid value: ["BestEffort"]: field is immutable'


def limits(**item):
    return builders.of_kind(kinds.LIMIT_RANGE, spec={"limits": [{"type": "Container", **item}]})


PATH = "spec.limits[0]"
LIMITS = {
    "right": (limits(min={"cpu": "1m"}, max={"cpu": "1"}, maxLimitRequestRatio={"cpu": "4"}), []),
    "type": (
        limits(type="Odd"), [f'{PATH}.type: Invalid value: "Odd": must be a standard limit type or fully qualified'],
    ),
    "resource": (
        limits(max={"pods": "1"}),
        [
            f'{PATH}.{field}[pods]: Invalid value: "pods": must be a standard resource for containers'
            for field in ("max", "default", "defaultRequest")
        ],
    ),
    "order": (
        limits(min={"cpu": "2"}, max={"cpu": "1"}, default={"cpu": "1"}, defaultRequest={"cpu": "1"}),
        [
            f'{PATH}.min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
            f'{PATH}.defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1',
            f'{PATH}.default[cpu]: Invalid value: "2": min value 2 is greater than default value 1',
        ],
    ),
    "defaults of pods": (
        limits(type="Pod", default={"cpu": "1"}),
        [f"{PATH}.default: Forbidden: may not be specified when `type` is 'Pod'"],
    ),
    "claims": (
        limits(type="PersistentVolumeClaim"),
        [f"{PATH}.limits: Required value: either minimum or maximum storage value is required, but neither was provided"],
    ),
    "ratio": (
        limits(type="Pod", min={"cpu": "1"}, max={"cpu": "2"}, maxLimitRequestRatio={"cpu": "3"}),
        [f'{PATH}.maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000'],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("new", "expect"), LIMITS.values(), ids=LIMITS.keys())
def test_limit_ranges(new, expect):
    assert builders.refused(kinds.LIMIT_RANGE, new) == expect


def test_defaults_follow_from_each_other():
    stored = builders.stored(kinds.LIMIT_RANGE, limits(min={"cpu": "50m", "memory": "1Mi"}, max={"cpu": "500m"}))
    [item] = stored["spec"]["limits"]
    assert (item["default"], item["defaultRequest"]) == ({"cpu": "500m"}, {"cpu": "500m", "memory": "1Mi"})
