"""What a pod gets of its RuntimeClass."""

import pytest

from steersman.apiserver.admission import runtime_classes
from tests.apiserver import kit

CLASSES = "/apis/node.k8s.io/v1/runtimeclasses"
ANY, ONE = {"operator": "Exists"}, {"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"}


@pytest.fixture
async def cluster(api: kit.Api) -> kit.Api:
    await kit.with_account(api)
    overhead, rules = {"podFixed": {"cpu": "10m"}}, {"nodeSelector": {"fast": "yes"}, "tolerations": [ONE]}
    await api.make(CLASSES, {"metadata": {"name": "heavy"}, "handler": "h", "overhead": overhead, "scheduling": rules})
    await api.make(CLASSES, {"metadata": {"name": "light"}, "handler": "l"})
    return api


async def test_overhead_and_place(cluster: kit.Api):
    made = (await cluster.make(kit.PODS, kit.pod("p", runtimeClassName="heavy", nodeSelector={"disk": "ssd"})))["spec"]
    assert made["overhead"] == {"cpu": "10m"}
    assert made["nodeSelector"] == {"disk": "ssd", "fast": "yes"}
    assert ONE in made["tolerations"]


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"runtimeClassName": "none"}, 'pod rejected: RuntimeClass "none" not found'),
        ({"runtimeClassName": "heavy", "overhead": {"cpu": "1"}}, runtime_classes._DIFFERENT),
        ({"runtimeClassName": "light", "overhead": {"cpu": "1"}}, runtime_classes._WITHOUT),
        ({"overhead": {"cpu": "1"}}, runtime_classes._WITHOUT),
        (
            {"runtimeClassName": "heavy", "nodeSelector": {"fast": "no"}},
            "conflict: runtimeClass.scheduling.nodeSelector[fast] = yes; pod.spec.nodeSelector[fast] = no",
        ),
    ],
    ids=["unknown", "other overhead", "no overhead defined", "no class", "other node"],
)
async def test_what_does_not_fit_the_class_is_refused(cluster: kit.Api, spec, why):
    answer = await cluster.ask("POST", kit.PODS, kit.pod("p", **spec))
    assert answer.refusal == (403, "Forbidden", f'pods "p" is forbidden: {why}')


@pytest.mark.parametrize(
    ("first", "second", "merged"),
    [
        ([ONE], [ONE], [ONE]),
        ([ONE], [ANY], [ANY]),
        ([ANY], [ONE], [ANY]),
        ([ONE], [{**ONE, "value": "c"}], [ONE, {**ONE, "value": "c"}]),
        ([ONE], [{**ONE, "effect": "NoExecute"}], [ONE, {**ONE, "effect": "NoExecute"}]),
        ([ONE], [{"key": "a", "operator": "Exists"}], [{"key": "a", "operator": "Exists"}]),
        (
            [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 9}],
            [{"key": "a", "operator": "Exists", "effect": "NoExecute"}],
            [{"key": "a", "operator": "Exists", "effect": "NoExecute"}],
        ),
    ],
    ids=["equal", "wider later", "wider first", "other value", "other effect", "any value", "longer"],
)
def test_tolerations_of_both(first, second, merged):
    assert runtime_classes.merged_tolerations(first, second) == merged
