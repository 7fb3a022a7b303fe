import pytest

from steersman.api import kinds, selectable
from tests.api import builders


@pytest.mark.parametrize("kind", [kind for kind in kinds.BUILTIN if kind.fields], ids=lambda kind: kind.kind)
def test_the_fields_can_be_asked_of_an_empty_object(kind):
    assert kind.fields is not None
    assert all(isinstance(value, str) for value in kind.fields({}).values())
    assert kind.fields({}).keys() == kind.fields(builders.of_kind(kind)).keys()


def test_pods():
    pod = builders.pod(nodeName="n", hostNetwork=True, status={"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}]})
    values = selectable.of_pod(pod)
    assert (values["spec.nodeName"], values["status.phase"], values["status.podIP"]) == ("n", "Running", "10.0.0.1")
    assert (values["spec.hostNetwork"], values["spec.serviceAccountName"]) == ("true", "")


def test_events_by_what_they_are_about():
    event = builders.of_kind(kinds.EVENT, involvedObject={"kind": "Pod", "name": "p"}, source={"component": "kubelet"})
    values = selectable.of_event(event)
    assert (values["involvedObject.kind"], values["involvedObject.name"], values["source"]) == ("Pod", "p", "kubelet")
