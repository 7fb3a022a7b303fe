"""StatefulSets, DaemonSets and ReplicationControllers: upstream's rules and texts."""

import pytest

from steersman.api import kinds
from tests.api import builders

TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [builders.container()]}}


def _set(kind, **spec):
    selector = {"app": "web"} if kind is kinds.REPLICATION_CONTROLLER else {"matchLabels": {"app": "web"}}
    spec = {"selector": selector, "template": TEMPLATE, **spec}
    return builders.of_kind(kind, "web", spec={key: value for key, value in spec.items() if value is not None})


def _pods(**spec):
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [builders.container()], **spec}}


STATEFUL_SETS = {
    "right": ({}, []),
    "policy": ({"podManagementPolicy": "Any"}, [
        'spec.podManagementPolicy: Invalid value: "Any": must be \'OrderedReady\' or \'Parallel\''
    ]),
    "strategy": ({"updateStrategy": {"type": "Any"}}, [
        "spec.updateStrategy: Invalid value: {\"type\":\"Any\"}: must be 'RollingUpdate' or 'OnDelete'"
    ]),
    "OnDelete does not roll": ({"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}}, [
        "spec.updateStrategy.rollingUpdate: Invalid value: {\"partition\":1}: only allowed for updateStrategy "
        "'RollingUpdate'"
    ]),
    "partition": ({"updateStrategy": {"rollingUpdate": {"partition": -1}}}, [
        "spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0"
    ]),
    "maxUnavailable": ({"updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}}, [
        "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0"
    ]),
    "maxUnavailable above all": ({"updateStrategy": {"rollingUpdate": {"maxUnavailable": "101%"}}}, [
        'spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%'
    ]),
    "ordinals": ({"ordinals": {"start": -1}}, [
        "spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0"
    ]),
    "claims": ({"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Burn"}}, [
        'spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Burn": supported values: "Delete", '
        '"Retain"'
    ]),
    "no selector": ({"selector": None}, ["spec.selector: Required value"]),
    "empty selector": ({"selector": {}}, [
        "spec.selector: Invalid value: {}: empty selector is invalid for statefulset"
    ]),
    "other labels": ({"selector": {"matchLabels": {"app": "db"}}}, [
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'
    ]),
    "ends": ({"template": _pods(restartPolicy="Never")}, [
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'
    ]),
    "a claim is a volume": ({
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}],
        "template": _pods(
            containers=[builders.container(volumeMounts=[{"name": "data", "mountPath": "/data"}])]
        ),
    }, []),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "expect"), STATEFUL_SETS.values(), ids=STATEFUL_SETS.keys())
def test_stateful_set(spec, expect):
    assert builders.refused(kinds.STATEFUL_SET, _set(kinds.STATEFUL_SET, **spec)) == expect


def test_the_name_of_a_stateful_set_is_a_host_name():
    found = _set(kinds.STATEFUL_SET)
    found["metadata"]["name"] = "a.b"
    [error] = builders.refused(kinds.STATEFUL_SET, found)
    assert error.startswith('metadata.name: Invalid value: "a.b": a lowercase RFC 1123 label must consist of')


UPDATES = {
    "replicas": ({"replicas": 5}, []),
    "template": ({"template": _pods(hostname="x")}, []),
    "retention": ({"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}, []),
    "history": ({"revisionHistoryLimit": 1}, []),
    "service": ({"serviceName": "other"}, True),
    "policy": ({"podManagementPolicy": "Parallel"}, True),
    "claims": ({"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}]}, True),
}
FIXED = (
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


@pytest.mark.parametrize(("spec", "expect"), UPDATES.values(), ids=UPDATES.keys())
def test_update_of_a_stateful_set(spec, expect):
    old = builders.stored(kinds.STATEFUL_SET, _set(kinds.STATEFUL_SET))
    new = _set(kinds.STATEFUL_SET, **spec)
    assert builders.refused(kinds.STATEFUL_SET, new, old) == ([FIXED] if expect is True else expect)


DAEMON_SETS = {
    "right": ({}, []),
    "no selector": ({"selector": None}, [
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'
    ]),
    "empty selector": ({"selector": {}}, [
        "spec.selector: Invalid value: {}: empty selector is invalid for daemonset"
    ]),
    "both": ({"updateStrategy": {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": "10%"}}}, [
        'spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: "10%": may not be set when maxUnavailable is non-zero'
    ]),
    "neither": ({"updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}}, [
        "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"
    ]),
    "strategy": ({"updateStrategy": {"type": "Any"}}, [
        'spec.updateStrategy: Unsupported value: {"type":"Any"}: supported values: "OnDelete", "RollingUpdate"'
    ]),
    "deadline": ({"template": _pods(activeDeadlineSeconds=1)}, [
        "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in DaemonSet is not Supported"
    ]),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "expect"), DAEMON_SETS.values(), ids=DAEMON_SETS.keys())
def test_daemon_set(spec, expect):
    assert builders.refused(kinds.DAEMON_SET, _set(kinds.DAEMON_SET, **spec)) == expect


def test_the_generation_of_a_daemon_sets_template_counts():
    key = "deprecated.daemonset.template.generation"
    old = builders.stored(kinds.DAEMON_SET, _set(kinds.DAEMON_SET))
    assert old["metadata"]["annotations"] == {key: "1"}
    same = builders.stored(kinds.DAEMON_SET, _set(kinds.DAEMON_SET, minReadySeconds=5), old)
    assert same["metadata"]["annotations"][key] == "1"
    other = builders.stored(kinds.DAEMON_SET, _set(kinds.DAEMON_SET, template=_pods(hostname="x")), old)
    assert other["metadata"]["annotations"][key] == "2"


CONTROLLERS = {
    "right": ({}, []),
    "labels select": ({"selector": None}, []),
    "no template": ({"template": None}, ["spec.template: Required value"]),
    "other labels": ({"selector": {"app": "db"}}, [
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'
    ]),
    "replicas": ({"replicas": -1}, ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]),
    "no selector": ({"selector": None, "template": {"spec": {"containers": [builders.container()]}}}, [
        "spec.selector: Required value"
    ]),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "expect"), CONTROLLERS.values(), ids=CONTROLLERS.keys())
def test_replication_controller(spec, expect):
    assert builders.refused(kinds.REPLICATION_CONTROLLER, _set(kinds.REPLICATION_CONTROLLER, **spec)) == expect


def test_a_replication_controller_is_labelled_as_its_template():
    found = builders.stored(kinds.REPLICATION_CONTROLLER, _set(kinds.REPLICATION_CONTROLLER, selector=None))
    assert found["metadata"]["labels"] == found["spec"]["selector"] == {"app": "web"}
    assert (found["spec"]["replicas"], found["status"]) == (1, {"replicas": 0})
