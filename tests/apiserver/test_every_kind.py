"""Every verb of the kinds that no controller gives a story of their own: create, get, list, watch, patch, apply, status, delete."""

import datetime
import functools
from collections.abc import Callable

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.meta.objects import Object
from tests.api import builders
from tests.apiserver import kit

UID = "11111111-2222-3333-4444-555555555555"


@functools.cache
def _authority(name: str = "ca", *, ca: bool = True) -> str:
    key = ec.derive_private_key(0x5EED, ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    since = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, since, since + datetime.timedelta(days=1))
    made = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True).sign(
        key, hashes.SHA256()
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


_GANG = {"schedulingPolicy": {"gang": {"minCount": 2}}}
_POD_CERTIFICATE = {
    "signerName": "example.com/s",
    "podName": "p",
    "podUID": "u",
    "serviceAccountName": "a",
    "serviceAccountUID": "u",
    "nodeName": "n",
    "nodeUID": "u",
    "stubPKCS10Request": "AAAA",
}

# Of each stored kind something that is valid.
BODIES: dict[str, Callable[[], Object]] = {
    "podtemplates": lambda: {"template": {"spec": {"containers": [builders.container()]}}},
    "runtimeclasses.node.k8s.io": lambda: {"handler": "crun"},
    "clustertrustbundles.certificates.k8s.io": lambda: {"spec": {"trustBundle": _authority()}},
    "podcertificaterequests.certificates.k8s.io": lambda: {"spec": dict(_POD_CERTIFICATE)},
    "leasecandidates.coordination.k8s.io": lambda: {
        "spec": {
            "leaseName": "l",
            "binaryVersion": "1.37.0",
            "emulationVersion": "1.36.0",
            "strategy": "OldestEmulationVersion",
        }
    },
    "storageversionmigrations.storagemigration.k8s.io": lambda: {"spec": {"resource": {"resource": "configmaps"}}},
    "storageversions.internal.apiserver.k8s.io": lambda: {"spec": {}},
    "evictionrequests.lifecycle.k8s.io": lambda: {
        "spec": {"intent": "Eviction", "requester": "acme.io/me", "target": {"pod": {"name": "p", "uid": UID}}}
    },
    "evictions.lifecycle.k8s.io": lambda: {"spec": {"target": {"pod": {"name": "p", "uid": UID}}}},
    "workloads.scheduling.k8s.io": lambda: {"spec": {"podGroupTemplates": [{"name": "a", **_GANG}]}},
    "podgroups.scheduling.k8s.io": lambda: {"spec": dict(_GANG)},
    "compositepodgroups.scheduling.k8s.io": lambda: {
        "spec": {
            "schedulingPolicy": {"gang": {"minGroupCount": 1}},
            "workloadRef": {"workloadName": "w", "templateName": "t"},
        }
    },
}
_EXACT = {"deviceClassName": "gpu"}
_DEVICE = {"attributes": {"model": {"string": "a"}}}
_SLICE = {"driver": "gpu.example.com", "nodeName": "n", "pool": {"name": "n", "generation": 1, "resourceSliceCount": 1}}
_TAINT = {"key": "a.io/broken", "effect": "NoSchedule"}
BODIES |= {
    "deviceclasses.resource.k8s.io": lambda: {"spec": {"selectors": [{"cel": {"expression": "true"}}]}},
    "resourceclaims.resource.k8s.io": lambda: {
        "spec": {"devices": {"requests": [{"name": "r", "exactly": dict(_EXACT)}]}}
    },
    "resourceclaimtemplates.resource.k8s.io": lambda: {
        "spec": {"spec": {"devices": {"requests": [{"name": "r", "exactly": dict(_EXACT)}]}}}
    },
    "resourceslices.resource.k8s.io": lambda: {"spec": {**_SLICE, "devices": [{"name": "d", **_DEVICE}]}},
    "devicetaintrules.resource.k8s.io": lambda: {"spec": {"taint": dict(_TAINT)}},
    "resourcepoolstatusrequests.resource.k8s.io": lambda: {"spec": {"driver": "gpu.example.com"}},
}
NAMES = {"storageversions.internal.apiserver.k8s.io": "apps.deployments"}
KINDS = [kind for kind in kinds.BUILTIN if kind.resource in BODIES]


def body(kind: Kind) -> Object:
    """In the version of the row."""
    meta = {"name": NAMES.get(kind.resource, "x1"), "labels": {"a": "b"}}
    stored = {"apiVersion": kind.stored.api_version, "kind": kind.kind, "metadata": meta, **BODIES[kind.resource]()}
    return kind.storage.back(stored) if kind.storage is not None else stored


def path(kind: Kind) -> str:
    return f"{kind.path}/namespaces/default/{kind.plural}" if kind.namespaced else f"{kind.path}/{kind.plural}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.api_version} {kind.kind}")
async def test_the_life_of_an_object(api: kit.Api, kind: Kind):
    before = api.store.revision
    made = await api.make(path(kind), body(kind))
    assert (made["apiVersion"], made["kind"]) == (kind.api_version, kind.kind)
    place = f"{path(kind)}/{made['metadata']['name']}"
    assert (await api.ask("GET", place)).body == made
    listed = (await api.ask("GET", path(kind), query="labelSelector=a%3Db")).body
    untyped = {field: value for field, value in made.items() if field not in ("kind", "apiVersion")}
    assert (listed["kind"], listed["items"]) == (f"{kind.kind}List", [untyped])
    watch = await api.ask("GET", path(kind), query=f"watch=1&resourceVersion={before}")
    assert watch.response.stream is not None
    told = orjson.loads(await anext(aiter(watch.response.stream)))
    assert (told["type"], told["object"]) == ("ADDED", made)
    labels = {"metadata": {"labels": {"c": "d"}}}
    patched = await api.ask("PATCH", place, labels, headers=kit.MERGE)
    assert patched.body["metadata"]["labels"] == {"a": "b", "c": "d"}
    strategic = await api.ask("PATCH", place, {"metadata": {"annotations": {"e": "f"}}}, headers=kit.STRATEGIC)
    assert strategic.status == 200, strategic.raw
    updated = strategic.body
    updated["metadata"]["annotations"] = {"e": "g"}
    assert (await api.ask("PUT", place, updated)).status == 200
    table = (await api.ask("GET", place, headers=kit.TABLE)).body
    assert table["rows"][0]["cells"][0] == made["metadata"]["name"]
    if kind.subresource("status") is not None:
        assert (await api.ask("GET", f"{place}/status")).body["metadata"]["uid"] == made["metadata"]["uid"]
        noted = await api.ask("PATCH", f"{place}/status", {"metadata": {"annotations": {"e": "h"}}}, headers=kit.MERGE)
        assert noted.status == 200, noted.raw
    free = {"metadata": {"finalizers": None}}  # of what is protected while it is in use
    assert (await api.ask("PATCH", place, free, headers=kit.MERGE)).status == 200
    assert (await api.ask("DELETE", place)).status == 200
    assert (await api.ask("GET", place)).status == 404
    await api.make(path(kind), body(kind))
    assert (await api.ask("PATCH", place, free, headers=kit.MERGE)).status == 200
    assert (await api.ask("DELETE", path(kind), query="labelSelector=a%3Db")).status == 200
    assert (await api.ask("GET", path(kind))).body["items"] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.api_version} {kind.kind}")
async def test_applied_again_nothing_changes(api: kit.Api, kind: Kind):
    headers = {"content-type": "application/apply-patch+yaml"}
    place = f"{path(kind)}/{body(kind)['metadata']['name']}"
    first = await api.ask("PATCH", place, body(kind), "fieldManager=me", headers)
    assert first.status == 201, first.raw
    again = await api.ask("PATCH", place, body(kind), "fieldManager=me", headers)
    assert again.body == first.body
    assert first.body["metadata"]["managedFields"][0]["apiVersion"] == kind.api_version


REFUSED = {
    "handler": (kinds.RUNTIME_CLASS, {"handler": "A_b"}, ["handler: Invalid value"]),
    "toleration twice": (
        kinds.RUNTIME_CLASS,
        {"handler": "a", "scheduling": {"tolerations": [{"key": "k", "operator": "Exists"}] * 2}},
        ["scheduling.tolerations[1]: Duplicate value"],
    ),
    "no containers": (kinds.POD_TEMPLATE, {"template": {"spec": {}}}, ["template.spec.containers: Required value"]),
    "no anchor": (
        kinds.CLUSTER_TRUST_BUNDLE,
        {"spec": {"trustBundle": "x"}},
        ['spec.trustBundle: Invalid value: "<value omitted>": at least one trust anchor must be provided'],
    ),
    "no authority": (
        kinds.CLUSTER_TRUST_BUNDLE,
        {"spec": {"trustBundle": _authority(ca=False)}},
        ['spec.trustBundle: Invalid value: "<value omitted>": entry 0 does not have the CA bit set'],
    ),
    "anchor twice": (
        kinds.CLUSTER_TRUST_BUNDLE,
        {"spec": {"trustBundle": (_authority() * 2)}},
        ['spec.trustBundle: Invalid value: "<value omitted>": entry 1 is a duplicate of entry 0'],
    ),
    "bundle of a signer": (
        kinds.CLUSTER_TRUST_BUNDLE,
        {"spec": {"signerName": "example.com/s", "trustBundle": _authority()}},
        [
            'metadata.name: Invalid value: "x": ClusterTrustBundle for signerName example.com/s must be named with prefix'
        ],
    ),
    "short": (
        kinds.POD_CERTIFICATE_REQUEST,
        {"spec": {**_POD_CERTIFICATE, "maxExpirationSeconds": 60}},
        ["spec.maxExpirationSeconds: Invalid value: 60: must be in the range [3600, 7862400]"],
    ),
    "newer than itself": (
        kinds.LEASE_CANDIDATE_V1BETA1,
        {"spec": {"leaseName": "l", "binaryVersion": "1.36.0", "emulationVersion": "1.37.0", "strategy": "a.io/b"}},
        ['spec.binaryVersion: Invalid value: "1.36.0": must be greater than or equal to `emulationVersion`'],
    ),
    "preferred holder": (
        kinds.LEASE,
        {"spec": {"preferredHolder": "me"}},
        ["spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined"],
    ),
    "no gang": (
        kinds.POD_GROUP_V1BETA1,
        {"spec": {"schedulingPolicy": {"gang": {"minCount": 0}}}},
        ["spec.schedulingPolicy.gang.minCount: Invalid value: 0: must be greater than 0"],
    ),
    "no policy": (kinds.POD_GROUP_V1BETA1, {"spec": {}}, ["spec.schedulingPolicy: Required value"]),
    "no templates": (
        kinds.WORKLOAD_V1BETA1,
        {"spec": {}},
        ["spec: Required value: must specify one of: `podGroupTemplates`, `compositePodGroupTemplates`"],
    ),
    "no resource": (
        kinds.STORAGE_VERSION_MIGRATION,
        {"spec": {"resource": {}}},
        ["spec.resource.resource: Required value"],
    ),
    "reserved": (
        kinds.EVICTION_REQUEST,
        {"spec": {"intent": "Eviction", "requester": "a.k8s.io/b", "target": {"pod": {"name": "p", "uid": UID}}}},
        ['spec.requester: Invalid value: "a.k8s.io/b": domain names *.k8s.io and *.kubernetes.io are reserved'],
    ),
}


@pytest.mark.parametrize(("kind", "fields", "wrong"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_refused(kind, fields, wrong):
    found = builders.refused(kind, builders.of_kind(kind, **fields))
    assert len(found) == len(wrong), found
    assert all(error.startswith(start) for error, start in zip(found, wrong, strict=True)), found


CHANGES = {
    "handler": (
        kinds.RUNTIME_CLASS,
        {"handler": "a"},
        {"handler": "b"},
        ['handler: Invalid value: "b": field is immutable'],
    ),
    "lease of a candidate": (
        kinds.LEASE_CANDIDATE_V1BETA1,
        {"spec": {"leaseName": "l", "binaryVersion": "1.36.0", "strategy": "a.io/b"}},
        {"spec": {"leaseName": "m", "binaryVersion": "1.36.0", "strategy": "a.io/b"}},
        ['spec.leaseName: Invalid value: "m": field is immutable'],
    ),
    "size of a gang": (
        kinds.POD_GROUP_V1BETA1,
        {"spec": _GANG},
        {"spec": {"schedulingPolicy": {"gang": {"minCount": 5}}}},
        [],
    ),
    "no gang any more": (
        kinds.POD_GROUP_V1BETA1,
        {"spec": _GANG},
        {"spec": {"schedulingPolicy": {"basic": {}}}},
        ["spec.schedulingPolicy: Invalid value"],
    ),
}


@pytest.mark.parametrize(("kind", "old", "new", "wrong"), CHANGES.values(), ids=list(CHANGES))
def test_what_may_not_change(kind, old, new, wrong):
    before = builders.stored(kind, builders.of_kind(kind, **old))
    found = builders.refused(kind, builders.of_kind(kind, **new), before)
    assert [error[: len(start)] for error, start in zip(found, wrong, strict=True)] == wrong


async def test_a_claim_in_both_shapes(api: kit.Api):
    beta = "/apis/resource.k8s.io/v1beta1/namespaces/default/resourceclaims"
    request = {"name": "r", "deviceClassName": "gpu"}
    made = await api.make(beta, {"metadata": {"name": "c"}, "spec": {"devices": {"requests": [request]}}})
    assert made["spec"]["devices"]["requests"] == [{**request, "allocationMode": "ExactCount", "count": 1}]
    stable = (await api.ask("GET", beta.replace("v1beta1", "v1") + "/c")).body
    exactly = {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1}
    assert stable["spec"]["devices"]["requests"] == [{"name": "r", "exactly": exactly}]
    status: Object = {"status": {"reservedFor": [{"resource": "pods", "name": "p", "uid": "u"}]}}
    early = await api.ask("PATCH", f"{beta}/c/status", status, headers=kit.MERGE)
    assert early.refusal[2].endswith("status.reservedFor: Forbidden: may not be specified when `allocated` is not set")
    status["status"]["allocation"] = {
        "devices": {"results": [{"request": "r", "driver": "d", "pool": "p", "device": "x"}]}
    }
    done = await api.ask("PATCH", f"{beta}/c/status", status, headers=kit.MERGE)
    assert done.status == 200, done.raw
    table = (await api.ask("GET", f"{beta}/c", headers=kit.TABLE)).body
    assert table["rows"][0]["cells"][1] == "allocated,reserved"


async def test_who_may_attest_for_a_signer(api: kit.Api):
    rbac, bundles = "/apis/rbac.authorization.k8s.io/v1", "/apis/certificates.k8s.io/v1/clustertrustbundles"
    rules = [
        {"verbs": ["create", "attest"], "apiGroups": ["certificates.k8s.io"], "resources": ["clustertrustbundles"]}
    ]
    attest = {"verbs": ["attest"], "apiGroups": ["certificates.k8s.io"], "resources": ["signers"]}
    rules.append({**attest, "resourceNames": ["example.com/*"]})
    await api.make(f"{rbac}/clusterroles", {"metadata": {"name": "attester"}, "rules": rules})
    role = {"kind": "ClusterRole", "name": "attester", "apiGroup": "rbac.authorization.k8s.io"}
    subjects = [{"kind": "Group", "name": "devs", "apiGroup": "rbac.authorization.k8s.io"}]
    binding = {"metadata": {"name": "devs"}, "roleRef": role, "subjects": subjects}
    await api.make(f"{rbac}/clusterrolebindings", binding)
    await api.server.authorizer.start()

    def bundle(signer: str) -> Object:
        spec = {"signerName": signer, "trustBundle": _authority()}
        return {"metadata": {"name": signer.replace("/", ":") + ":x"}, "spec": spec}

    assert (await api.ask("POST", bundles, bundle("example.com/s"), peer=kit.BOB)).status == 201
    refused = await api.ask("POST", bundles, bundle("other.com/s"), peer=kit.BOB)
    assert refused.refusal[2].endswith('is forbidden: user not permitted to attest for signerName "other.com/s"')
