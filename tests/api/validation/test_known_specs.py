"""A spec that was valid is known again, and nothing else is."""

import copy
from typing import Any

import pytest

from steersman.api.validation import known_specs, pods

SPEC: dict[str, Any] = {
    "containers": [
        {
            "name": "main",
            "image": "a",
            "imagePullPolicy": "Always",
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "volumeMounts": [{"name": "kube-api-access-abcde", "mountPath": "/token"}],
        }
    ],
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "volumes": [{"name": "kube-api-access-abcde", "emptyDir": {}}],
}


def _with_volume(name: str, mounted: str = "") -> dict[str, Any]:
    spec = copy.deepcopy(SPEC)
    spec["volumes"][0]["name"] = name
    spec["containers"][0]["volumeMounts"][0]["name"] = mounted or name
    return spec


@pytest.mark.parametrize(
    ("spec", "same"),
    [
        (SPEC, True),
        (_with_volume("kube-api-access-fghij"), True),
        (_with_volume("kube-api-access-fghij", "kube-api-access-other"), False),
        (_with_volume("kube-api-access-ABCDE"), False),
        (_with_volume("kube-api-access-abcdef"), False),
        (SPEC | {"volumes": SPEC["volumes"] * 2}, False),
        (SPEC | {"volumes": [*SPEC["volumes"], {"name": "kube-api-access-fghij", "emptyDir": {}}]}, False),
        (SPEC | {"hostname": "a"}, False),
    ],
)
def test_two_specs_have_one_shape_when_only_the_token_volumes_name_differs(spec, same):
    assert (known_specs.shape_of(spec) == known_specs.shape_of(SPEC)) is same


def test_what_json_does_not_have_has_no_shape_and_is_not_kept():
    known = known_specs.KnownSpecs()
    known.add(known_specs.shape_of({"number": 1 << 70}))
    assert known_specs.shape_of({"number": 1 << 70}) not in known


def test_as_many_are_kept_as_fit():
    known = known_specs.KnownSpecs()
    shapes = [str(number).encode() for number in range(known_specs.SPECS_MAX + 1)]
    for shape in (*shapes, b"x" * (known_specs.SPEC_BYTES_MAX + 1)):
        known.add(shape)
    assert [shape in known for shape in (shapes[0], shapes[1], shapes[-1])] == [False, True, True]


def test_a_mistake_is_told_each_time_and_where_it_is():
    for path in ("spec", "spec.template.spec"):
        assert not pods.validate_spec(SPEC, path)
        wrong = SPEC | {"restartPolicy": "Sometimes"}
        assert [one.field for one in pods.validate_spec(wrong, path)] == [f"{path}.restartPolicy"]
        assert not pods.validate_spec(SPEC, path)


def test_what_only_a_template_may_say_is_not_known_of_pods():
    """A template is known as one; a pod's own rules are looked at for a pod."""
    spec = SPEC | {"ephemeralContainers": []}
    assert not pods.validate_spec(spec, "spec")
    assert not pods.validate_spec(spec, "spec", is_pod=True)
