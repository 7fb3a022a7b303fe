"""What pods and volumes refer to."""

import pytest

from steersman.apiserver.node_authorizer import references


def key(kind: str, name: str) -> dict[str, object]:
    return {"name": "V", "valueFrom": {f"{kind}KeyRef": {"name": name, "key": "k"}}}


def pod(**spec: object) -> dict[str, object]:
    return {"metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": [], **spec}}


def volume(**source: object) -> dict[str, object]:
    return pod(volumes=[{"name": "v", **source}])


SECRET = {"name": "s"}
PODS = {
    "nothing": (pod(), []),
    "account": (pod(serviceAccountName="a"), [("serviceaccounts", "a")]),
    "pull secrets": (pod(imagePullSecrets=[{"name": "a"}, {"name": "b"}]), [("secrets", "a"), ("secrets", "b")]),
    "variables": (
        pod(containers=[{"env": [{"name": "X", "value": "1"}, key("secret", "s"), key("configMap", "c")]}]),
        [("secrets", "s"), ("configmaps", "c")],
    ),
    "all variables of": (
        pod(initContainers=[{"envFrom": [{"secretRef": SECRET}, {"configMapRef": {"name": "c"}}]}]),
        [("secrets", "s"), ("configmaps", "c")],
    ),
    "an ephemeral container": (pod(ephemeralContainers=[{"env": [key("secret", "s")]}]), [("secrets", "s")]),
    "secret": (volume(secret={"secretName": "s"}), [("secrets", "s")]),
    "configMap": (volume(configMap={"name": "c"}), [("configmaps", "c")]),
    "projected": (
        volume(projected={"sources": [{"secret": SECRET}, {"configMap": {"name": "c"}}, {"downwardAPI": {}}]}),
        [("secrets", "s"), ("configmaps", "c")],
    ),
    "claim": (volume(persistentVolumeClaim={"claimName": "c"}), [("persistentvolumeclaims", "c")]),
    "ephemeral": (volume(ephemeral={}), [("persistentvolumeclaims", "p-v")]),
    "csi": (volume(csi={"driver": "d", "nodePublishSecretRef": SECRET}), [("secrets", "s")]),
    "azureFile": (volume(azureFile={"secretName": "s"}), [("secrets", "s")]),
    **{
        kind: (volume(**{kind: {"secretRef": SECRET}}), [("secrets", "s")])
        for kind in ("cephfs", "cinder", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos")
    },
    "resource claims": (
        {
            **pod(resourceClaims=[{"name": "a", "resourceClaimName": "x"}, {"name": "b"}, {"name": "c"}]),
            "status": {"resourceClaimStatuses": [{"name": "b", "resourceClaimName": "made"}]},
        },
        [("resourceclaims", "x"), ("resourceclaims", "made")],
    ),
    "extended resources": (
        {**pod(), "status": {"extendedResourceClaimStatus": {"resourceClaimName": "x"}}},
        [("resourceclaims", "x")],
    ),
    "a mirror pod gives no rights": (
        {
            "metadata": {"name": "p", "namespace": "n", "annotations": {"kubernetes.io/config.mirror": "h"}},
            "spec": {"serviceAccountName": "a", "volumes": [{"name": "v", "secret": {"secretName": "s"}}]},
        },
        [],
    ),
}


@pytest.mark.parametrize(("obj", "expect"), PODS.values(), ids=PODS.keys())
def test_pods(obj, expect):
    assert list(references.of_pod(obj)) == expect


VOLUMES = {
    "none": ({"hostPath": {"path": "/"}}, []),
    "azure, of the claim": ({"azureFile": {"secretName": "s"}}, [("claims", "s")]),
    "azure": ({"azureFile": {"secretName": "s", "secretNamespace": "other"}}, [("other", "s")]),
    "csi: what nodes need": (
        {
            "csi": {
                "controllerPublishSecretRef": {"name": "no", "namespace": "o"},
                "controllerExpandSecretRef": {"name": "no", "namespace": "o"},
                "nodePublishSecretRef": {"name": "publish", "namespace": "o"},
                "nodeStageSecretRef": {"name": "stage", "namespace": "o"},
                "nodeExpandSecretRef": {"name": "expand", "namespace": "o"},
            }
        },
        [("o", "publish"), ("o", "stage"), ("o", "expand")],
    ),
    **{
        kind: ({kind: {"secretRef": {"name": "s"}}}, [("claims", "s")])
        for kind in ("cephfs", "cinder", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos")
    },
    "in another namespace": ({"iscsi": {"secretRef": {"name": "s", "namespace": "o"}}}, [("o", "s")]),
}


@pytest.mark.parametrize(("source", "expect"), VOLUMES.values(), ids=VOLUMES.keys())
def test_volumes(source, expect):
    spec = {"claimRef": {"namespace": "claims", "name": "c"}, **source}
    assert list(references.secrets_of_volume({"metadata": {"name": "v"}, "spec": spec})) == expect
