"""Every kind whose entry in the list is "API operations" or "lifecycle": found in discovery, written in all ways, watched."""

import base64
import dataclasses

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.conformance.live import Object, Refused, Space, condition, names, pod, template, unique, wait


@dataclasses.dataclass(frozen=True)
class Kind:
    resource: str  # GROUP/VERSION/PLURAL, or v1/PLURAL
    spec: Object
    namespaced: bool = True
    status: Object | None = None  # what is merged into status, where there is /status

    def __str__(self) -> str:
        return self.resource.rpartition("/")[2]


def signing_request() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "e2e-example")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


def conditions(kind: str) -> Object:
    return {
        "conditions": [
            {
                "type": kind,
                "status": "True",
                "reason": "E2E",
                "message": "Set from an e2e test",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ]
    }


NOBODY = {"selector": {"matchLabels": {"no": "pod"}}, "template": template({"no": "pod"}), "replicas": 0}
JOB = {"suspend": True, "template": template({"a": "job"}, restartPolicy="Never")}
RULES = [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}]
POLICY = {
    "matchConstraints": {"resourceRules": RULES, "namespaceSelector": {"matchLabels": {"no": "namespace"}}},
    "validations": [{"expression": "object.spec.replicas <= 100"}],
}
BACKEND = {"service": {"name": "x", "port": {"number": 80}}}
FLOW = {
    "matchingPrecedence": 9999,
    "priorityLevelConfiguration": {"name": "global-default"},
    "rules": [
        {
            "subjects": [{"kind": "User", "user": {"name": "example-e2e-non-existent-user"}}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        }
    ],
}
LEVEL = {"type": "Limited", "limited": {"nominalConcurrencyShares": 2, "limitResponse": {"type": "Reject"}}}
CSR: Object = {"signerName": "example.com/e2e", "usages": ["digital signature"], "expirationSeconds": 3600}
CRONJOB = {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": {"template": JOB["template"]}}}

KINDS = [
    Kind("flowcontrol.apiserver.k8s.io/v1/flowschemas", {"spec": FLOW}, False, conditions("Dangling")),
    Kind("flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations", {"spec": LEVEL}, False, conditions("E2E")),
    Kind("admissionregistration.k8s.io/v1/validatingadmissionpolicies", {"spec": POLICY}, False, conditions("E2E")),
    Kind(
        "admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
        {"spec": {"policyName": "none.example.com", "validationActions": ["Deny"]}},
        False,
    ),
    Kind("certificates.k8s.io/v1/certificatesigningrequests", {"spec": CSR}, False, conditions("E2E")),
    Kind(
        "networking.k8s.io/v1/ingresses",
        {"spec": {"defaultBackend": BACKEND}},
        True,
        {"loadBalancer": {"ingress": [{"ip": "169.1.1.1"}]}},
    ),
    Kind("networking.k8s.io/v1/ingressclasses", {"spec": {"controller": "example.com/controller"}}, False),
    Kind(
        "discovery.k8s.io/v1/endpointslices",
        {"addressType": "IPv4", "endpoints": [{"addresses": ["1.2.3.4"]}], "ports": []},
    ),
    Kind("batch/v1/cronjobs", {"spec": CRONJOB}, True, {"lastScheduleTime": "2026-01-01T00:00:00Z"}),
    Kind("batch/v1/jobs", {"spec": JOB}, True, None),
    Kind("apps/v1/deployments", {"spec": NOBODY}, True, conditions("StatusUpdate")),
    Kind("apps/v1/replicasets", {"spec": NOBODY}, True, conditions("StatusUpdate")),
    Kind("apps/v1/statefulsets", {"spec": NOBODY}, True, conditions("StatusUpdate")),
    Kind(
        "apps/v1/daemonsets",
        {"spec": {"selector": NOBODY["selector"], "template": template({"no": "pod"}, nodeSelector={"no": "node"})}},
        True,
        conditions("StatusUpdate"),
    ),
    Kind("apps/v1/controllerrevisions", {"revision": 1, "data": {}}),
    Kind(
        "policy/v1/poddisruptionbudgets",
        {"spec": {"minAvailable": 1, "selector": NOBODY["selector"]}},
        True,
        conditions("E2E"),
    ),
    Kind("v1/services", {"spec": {"ports": [{"port": 80}]}}, True, conditions("StatusPatch")),
    Kind(
        "v1/replicationcontrollers",
        {"spec": {"replicas": 0, "template": template({"no": "pod"})}},
        True,
        conditions("StatusUpdate"),
    ),
    Kind("v1/endpoints", {"subsets": [{"addresses": [{"ip": "10.0.0.24"}], "ports": [{"name": "http", "port": 80}]}]}),
    Kind("v1/podtemplates", {"template": template({"a": "template"})}),
    Kind("v1/serviceaccounts", {}),
    Kind("v1/limitranges", {"spec": {"limits": [{"type": "Pod", "max": {"cpu": "2"}}]}}),
    Kind("v1/resourcequotas", {"spec": {"hard": {"cpu": "1"}}}, True, {"hard": {"memory": "1Gi"}}),
    Kind("v1/pods", {"spec": pod("", nodeSelector={"no": "node"})["spec"]}, True, conditions("E2E")),
    Kind("scheduling.k8s.io/v1/priorityclasses", {"value": 100}, False),
    Kind("coordination.k8s.io/v1/leases", {"spec": {"holderIdentity": "holder"}}),
]


def collection(space: Space, kind: Kind) -> str:
    if kind.namespaced:
        return space.path(kind.resource.removeprefix("v1/"))
    return f"/apis/{kind.resource}"


def in_discovery(space: Space, kind: Kind) -> None:
    group_version, _, plural = kind.resource.rpartition("/")
    group, _, version = group_version.rpartition("/")
    root = f"/apis/{group_version}" if group else "/api/v1"
    if group:
        found = {one["name"]: one for one in space.api.get("/apis")["groups"]}[group]
        assert version in [one["version"] for one in space.api.get(f"/apis/{group}")["versions"]]
        assert group_version in [one["groupVersion"] for one in found["versions"]]
    resources = {one["name"] for one in space.api.get(root)["resources"]}
    assert plural in resources
    assert (f"{plural}/status" in resources) or kind.status is None


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_written_in_all_ways(space: Space, kind: Kind) -> None:
    api, root = space.api, collection(space, kind)
    in_discovery(space, kind)
    spec = kind.spec
    if "signerName" in spec.get("spec", {}):
        spec = {"spec": spec["spec"] | {"request": signing_request()}}
    word = unique(str(kind))
    mine: Object = {"labelSelector": f"special-label={word}"}
    made = [
        api.create(root, {"metadata": {"generateName": "e2e-example-", "labels": {"special-label": word}}, **spec})
        for _ in range(3)
    ]
    one = f"{root}/{made[0]['metadata']['name']}"
    assert api.get(one)["metadata"]["uid"] == made[0]["metadata"]["uid"]
    listed = api.get(root, **mine)
    assert names(listed["items"]) == names(made)
    if kind.namespaced:
        everywhere = root.replace(f"/namespaces/{space.name}", "")
        assert names(api.items(everywhere, **mine)) == names(made)

    with api.watch(root, resourceVersion=listed["metadata"]["resourceVersion"], **mine) as events:
        patched = api.patch(one, {"metadata": {"annotations": {"patched": "true"}}})
        assert patched["metadata"]["annotations"]["patched"] == "true"
        assert patched["metadata"]["resourceVersion"] != made[0]["metadata"]["resourceVersion"]
        updated = api.change(one, lambda found: found["metadata"]["annotations"].update(updated="true"))
        assert updated["metadata"]["annotations"].items() >= {"patched": "true", "updated": "true"}.items()
        seen = set()
        for event in events:
            assert event["type"] in ("ADDED", "MODIFIED")
            seen |= event["object"]["metadata"].get("annotations", {}).keys()
            if "updated" in seen:
                break
        assert "patched" in seen
        if kind.status is not None:
            status_is_written(space, kind, one)
        api.delete(one, {"propagationPolicy": "Background", "gracePeriodSeconds": 0})
        assert any(event["type"] == "DELETED" for event in events)
    with pytest.raises(Refused, match="404"):
        api.get(one)
    assert names(api.items(root, **mine)) == names(made[1:])
    api.delete(root, {"gracePeriodSeconds": 0}, **mine)
    wait("the collection is empty", lambda: not space.api.items(root, **mine))


def status_is_written(space: Space, kind: Kind, one: str) -> None:
    """Patched and replaced through /status, annotations and all, and the spec stays."""
    api = space.api
    body = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": kind.status}
    before = api.get(f"{one}/status")
    patched = api.patch(f"{one}/status", body)
    assert patched["metadata"]["annotations"]["patchedstatus"] == "true"
    assert kind.status is not None
    for name in kind.status:
        assert patched["status"][name], patched
    patched["status"].update(kind.status)

    def put(found: Object) -> None:
        found["metadata"].setdefault("annotations", {})["updatedstatus"] = "true"
        found["status"] = found.get("status", {}) | kind.status

    updated = api.change(one, put, "/status")
    assert updated["metadata"]["annotations"]["updatedstatus"] == "true"
    assert updated.get("spec") == before.get("spec")


def test_a_signing_request_is_approved(space: Space) -> None:
    api, root = space.api, "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    made = api.create(root, {"metadata": {"generateName": "e2e-"}, "spec": CSR | {"request": signing_request()}})
    one = f"{root}/{made['metadata']['name']}"
    approve = {"status": conditions("Approved")}
    patched = api.patch(f"{one}/approval", {"metadata": {"annotations": {"patchedapproval": "true"}}, **approve})
    assert condition(patched, "Approved") == "True"
    assert patched["metadata"]["annotations"]["patchedapproval"] == "true"

    def more(found: Object) -> None:
        found["status"]["conditions"].append(conditions("ApprovalUpdate")["conditions"][0])

    assert condition(api.change(one, more, "/approval"), "ApprovalUpdate") == "True"
    api.delete(one)


def test_immutable_fields_of_priority_classes(space: Space) -> None:
    api, root = space.api, "/apis/scheduling.k8s.io/v1/priorityclasses"
    name = unique("p")
    api.create(root, {"metadata": {"name": name}, "value": 1, "description": "a"})
    assert api.patch(f"{root}/{name}", {"description": "b"})["description"] == "b"
    with pytest.raises(Refused, match="422 Invalid") as refused:
        api.patch(f"{root}/{name}", {"value": 2})
    assert refused.value.status["details"]["causes"][0]["field"] == "value"
    api.delete(f"{root}/{name}")


GROUPS_OF_EVENTS = ["v1/events", "events.k8s.io/v1/events"]


@pytest.mark.parametrize("resource", GROUPS_OF_EVENTS)
def test_events(space: Space, resource: str) -> None:
    """Created, patched, given a series, found in both groups, deleted as a collection."""
    root, old = space.path(resource.removeprefix("v1/")), resource.startswith("v1/")
    regarding = {"kind": "Pod", "name": "a", "namespace": space.name}
    body = (
        {
            "involvedObject": regarding,
            "message": "This is a test event",
            "reason": "Test",
            "type": "Normal",
            "source": {"component": "test-controller"},
        }
        if old
        else {
            "regarding": regarding,
            "note": "This is a test event",
            "reason": "Test",
            "type": "Normal",
            "action": "Do",
            "reportingController": "test-controller",
            "reportingInstance": "test-node",
            "eventTime": "2026-01-01T00:00:00.123456Z",
        }
    )
    api = space.api
    for name in ("a", "b", "c"):
        api.create(root, {"metadata": {"name": name, "labels": {"testevent-constant": "true"}}, **body})
    series = {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}
    change = {"message": "This is a test event - patched"} if old else {"series": series}
    assert api.patch(f"{root}/a", change, "strategic").items() >= change.items()
    series = {"count": 100, "lastObservedTime": "2026-01-01T00:00:01.654321Z"}
    api.change(f"{root}/a", lambda found: found.update(series=series))
    assert api.get(f"{root}/a")["series"] == series
    if not old:
        assert names(api.items(root, fieldSelector="reportingController=test-controller")) == {"a", "b", "c"}
    assert names(
        api.items(
            f"/{'api' if old else 'apis'}/{resource}",
            labelSelector="testevent-constant=true",
            fieldSelector=f"metadata.namespace={space.name}",
        )
    ) == {"a", "b", "c"}
    api.delete(f"{root}/a")
    assert names(api.items(root)) == {"b", "c"}
    api.delete(root, labelSelector="testevent-constant=true")
    assert api.items(root, labelSelector="testevent-constant=true") == []
