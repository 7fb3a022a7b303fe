import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api import kinds, schema
from steersman.api.kind import Kind
from steersman.meta import errors
from tests.api import builders


def _changed(path, value):
    pod = builders.pod(containers=[builders.container(env=[{"name": "A", "value": "b"}])])
    *parents, last = path
    place = pod
    for part in parents:
        place = place[part]
    place[last] = value
    return pod


WRONG = {
    "number for a string": (
        ("spec", "containers", 0, "image"), 1,
        "json: cannot unmarshal number into Go struct field Container.spec.containers.image of type string",
    ),
    "object for a string": (
        ("spec", "nodeName"), {},
        "json: cannot unmarshal object into Go struct field PodSpec.spec.nodeName of type string",
    ),
    "deep": (
        ("spec", "containers", 0, "env", 0, "value"), 1,
        "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string",
    ),
    "string for a bool": (
        ("spec", "hostNetwork"), "true",
        "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool",
    ),
    "fraction for an integer": (
        ("spec", "priority"), 1.5,
        "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32",
    ),
    "too large": (
        ("spec", "priority"), 1 << 40,
        "json: cannot unmarshal number 1099511627776 into Go struct field PodSpec.spec.priority of type int32",
    ),
    "object for a list": (
        ("spec", "containers"), {},
        "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
    ),
    "string for a struct": (
        ("spec",), "x", "json: cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec",
    ),
    "number for a map": (
        ("metadata", "labels"), 3,
        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type map[string]string",
    ),
    "number for a map's value": (
        ("metadata", "labels"), {"a": 3},
        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
    ),
    "no quantity": (
        ("spec", "containers", 0, "resources"), {"limits": {"cpu": "much"}},
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ),
    "no time": (
        ("metadata", "deletionTimestamp"), "yesterday",
        'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("path", "value", "text"), WRONG.values(), ids=WRONG.keys())
def test_wrong_types_are_400_in_upstreams_words(path, value, text):
    with pytest.raises(errors.StatusError) as refused:
        schema.decode(kinds.POD, _changed(path, value))
    assert refused.value.code == 400
    assert str(refused.value) == f'Pod in version "v1" cannot be handled as a Pod: {text}'


def test_unknown_fields():
    pod = _changed(("spec", "containers", 0, "foo"), 1)
    pod["spec"]["bar"] = {"x": 1}
    found = ['unknown field "spec.containers[0].foo"', 'unknown field "spec.bar"']
    clean, warnings = schema.decode(kinds.POD, pod, "Warn")
    assert warnings == found
    assert "bar" not in clean["spec"]
    assert "foo" not in clean["spec"]["containers"][0]
    assert schema.decode(kinds.POD, pod, "Ignore")[1] == []
    with pytest.raises(errors.StatusError) as refused:
        schema.decode(kinds.POD, pod, "Strict")
    assert refused.value.code == 400
    assert str(refused.value).endswith(f"cannot be handled as a Pod: strict decoding error: {found[0]}, {found[1]}")


def test_the_input_stays_as_it_was():
    pod = _changed(("spec", "bar"), None)
    before = copy.deepcopy(pod)
    schema.decode(kinds.POD, pod)
    assert pod == before


CLEANED: dict[str, Any] = {
    "null vanishes": (("spec", "nodeName"), None, None),
    "empty list vanishes": (("spec", "tolerations"), [], None),
    "empty map vanishes": (("spec", "nodeSelector"), {}, None),
    "null items become zeros": (("spec", "tolerations"), [None], [{}]),
    "empty struct stays": (("spec", "securityContext"), {}, {}),
    "false stays": (("spec", "enableServiceLinks"), False, False),
    "quantities become canonical": (("spec", "overhead"), {"cpu": 0.5, "memory": "1024Ki"}, {"cpu": "500m", "memory": "1Mi"}),
    "times become UTC seconds": (("metadata", "deletionTimestamp"), "2026-01-01T01:00:00.5+01:00", "2026-01-01T00:00:00Z"),
}  # fmt: skip


@pytest.mark.parametrize(("path", "value", "expect"), CLEANED.values(), ids=CLEANED.keys())
def test_what_decoding_and_encoding_leaves(path, value, expect):
    clean, _ = schema.decode(kinds.POD, _changed(path, value))
    assert clean[path[0]].get(path[1]) == expect


def test_micro_times_keep_six_decimals():
    lease = builders.of_kind(kinds.LEASE, spec={"renewTime": "2026-01-01T00:00:00.5Z"})
    clean, _ = schema.decode(kinds.LEASE, lease)
    assert clean["spec"]["renewTime"] == "2026-01-01T00:00:00.500000Z"


@pytest.mark.parametrize(("value", "ok"), [("aGk=", True), ("", True), ("aGk", False), ("a=k=", False), ("?", False)])
def test_bytes_are_base64(value, ok):
    secret = builders.of_kind(kinds.SECRET, data={"k": value})
    if ok:
        assert schema.decode(kinds.SECRET, secret)[0]["data"] == {"k": value}
    else:
        with pytest.raises(errors.StatusError, match="illegal base64 data at input byte"):
            schema.decode(kinds.SECRET, secret)


def test_type_and_version_may_be_left_out_but_not_be_others():
    clean, _ = schema.decode(kinds.DEPLOYMENT, {"metadata": {"name": "x"}})
    assert (clean["apiVersion"], clean["kind"]) == ("apps/v1", "Deployment")


@pytest.mark.parametrize(
    ("api_version", "kind", "why"),
    [
        (
            "v1",
            "Deployment",
            'Deployment in version "v1" cannot be handled as a Deployment: no kind "Deployment" is registered',
        ),
        (
            "v1",
            "Pod",
            'Pod in version "v1" cannot be handled as a Deployment: converting (v1.Pod) to (apps.Deployment): unknown',
        ),
        (
            "apps/v1",
            "Foo",
            'Foo in version "v1" cannot be handled as a Deployment: no kind "Foo" is registered for version "apps/v1"',
        ),
    ],
)
def test_another_type_is_refused(api_version, kind, why):
    with pytest.raises(errors.StatusError) as refused:
        schema.decode(kinds.DEPLOYMENT, {"apiVersion": api_version, "kind": kind})
    assert str(refused.value).startswith(why)


def test_another_version_of_the_same_kind_is_refused():
    with pytest.raises(errors.StatusError) as refused:
        schema.decode(kinds.POD_GROUP_V1BETA1, {"apiVersion": "scheduling.k8s.io/v1alpha3", "kind": "PodGroup"})
    assert str(refused.value) == (
        "the API version in the data (scheduling.k8s.io/v1alpha3) does not match the expected API version "
        "(scheduling.k8s.io/v1beta1)"
    )


def test_a_body_is_an_object():
    with pytest.raises(errors.StatusError, match="cannot unmarshal array"):
        schema.decode(kinds.POD, [])  # type: ignore[arg-type]


def test_every_builtin_kind_has_a_definition():
    types = schema.of_release()
    for kind in kinds.BUILTIN:
        assert types.name_of(kind.group, kind.version, kind.kind), kind.kind
        for sub in kind.subresources:
            named = types.name_of(sub.group, sub.version, sub.kind)
            assert named or sub.kind.endswith("Options"), f"{kind.kind}/{sub.name}"


def test_unknown_kinds_pass_unchanged():
    custom = Kind("example.com", "v1", "Widget", "widgets", "widget")
    obj = {"apiVersion": "example.com/v1", "kind": "Widget", "spec": {"anything": [1, None]}}
    assert schema.decode(custom, obj) == (obj, [])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "spec", "containers", "metadata", "env", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values, json_values)
def test_any_json_is_decoded_or_refused(spec, metadata):
    obj = {"apiVersion": "v1", "kind": "Pod", "spec": spec, "metadata": metadata}
    try:
        clean, _ = schema.decode(kinds.POD, obj, "Warn")
    except errors.StatusError as refused:
        assert refused.code == 400  # noqa: PT017 — refusing is one of two right answers
        return
    assert schema.decode(kinds.POD, clean, "Strict")[0] == clean


@pytest.mark.parametrize("release", ["1.27.0", "1.30.0"])
def test_older_releases_know_less(release):
    types = schema.of_release(release)
    pod = builders.pod(restartPolicy="Always", resources={"limits": {"cpu": "1"}})
    assert types.decode(kinds.POD, pod, "Warn")[1] == ['unknown field "spec.resources"']
    assert schema.decode(kinds.POD, pod, "Warn")[1] == []
    old = [kind for kind in kinds.BUILTIN if kind.group in ("", "apps")]  # those that every release has
    assert all(types.name_of(kind.group, kind.version, kind.kind) for kind in old)
    assert types.name_of("apps", "v1", "Deployment")
    assert types.name_of("certificates.k8s.io", "v1", "PodCertificateRequest") is None


def test_zeros_of_plain_fields_are_nothing_and_those_of_pointers_are_wishes():
    pod = builders.pod(
        containers=[builders.container(env=[{"name": "A", "value": ""}], tty=False, workingDir="")],
        hostNetwork=False,
        subdomain="",
        terminationGracePeriodSeconds=0,
        enableServiceLinks=False,
    )
    clean, _ = schema.decode(kinds.POD, pod)
    spec = clean["spec"]
    assert "hostNetwork" not in spec
    assert "subdomain" not in spec
    assert (spec["terminationGracePeriodSeconds"], spec["enableServiceLinks"]) == (0, False)
    assert spec["containers"][0]["env"] == [{"name": "A"}]
    assert not {"tty", "workingDir"} & set(spec["containers"][0])
    unnamed, _ = schema.decode(kinds.POD, builders.pod(containers=[builders.container(name="")]))
    assert unnamed["spec"]["containers"][0]["name"] == ""  # Go writes it although it is empty
