"""A webhook and an extension server in a pod behind a Service, with a real kubectl.

The pod has no image of its own: it runs the Python of this machine, which it sees through its node.
"""

import base64
import datetime
import json
import pathlib

import pytest

from steersman.aio import clock as clocks
from steersman.cluster import pki
from tests.clients.conftest import RunningCluster

pytestmark = [pytest.mark.root, pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(180)]

PYTHON = pathlib.Path("/usr/bin/python3")
SCRIPT = pathlib.Path(__file__).with_name("extension_server.py")
HOST_FOLDERS = {"usr": "/usr", "lib": "/usr/lib", "lib64": "/usr/lib64"}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def pod(space: str) -> dict[str, object]:
    volumes = [
        {"name": "script", "configMap": {"name": "script"}},
        {"name": "certs", "secret": {"secretName": "certs"}},
        *({"name": name, "hostPath": {"path": path}} for name, path in HOST_FOLDERS.items()),
    ]
    mounts = [
        {"name": "script", "mountPath": "/script"},
        {"name": "certs", "mountPath": "/certs"},
        *({"name": name, "mountPath": f"/{name}", "readOnly": True} for name in HOST_FOLDERS),
    ]
    container = {
        "name": "server",
        "image": "localhost/hello:1",
        "command": [str(PYTHON), f"/script/{SCRIPT.name}"],
        "volumeMounts": mounts,
        "readinessProbe": {"tcpSocket": {"port": 8444}, "periodSeconds": 1},
    }
    meta = {"name": "server", "namespace": space, "labels": {"app": "server"}}
    spec = {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def deploy(cluster: RunningCluster, space: str, folder: pathlib.Path) -> str:
    """The authority's certificate, as base64."""
    authority = pki.Authority(folder, clocks.SystemClock().now().astimezone(datetime.UTC))
    serving = authority.server("server", "server", [f"server.{space}.svc"])
    front = json.loads(
        cluster.jsonpath("{.data}", "configmap/extension-apiserver-authentication", "-n", "kube-system")
    )["requestheader-client-ca-file"]
    certs = {
        "tls.crt": serving.certificate.read_bytes(),
        "tls.key": serving.key.read_bytes(),
        "front-proxy.crt": front.encode(),
    }
    meta = {"namespace": space}
    ports = [{"port": 8443, "targetPort": 8444}]
    items = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": meta | {"name": "script"},
            "data": {SCRIPT.name: SCRIPT.read_text()},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": meta | {"name": "certs"},
            "data": {name: encoded(data) for name, data in certs.items()},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta | {"name": "server"},
            "spec": {"selector": {"app": "server"}, "ports": ports},
        },
        pod(space),
    ]
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    cluster.kubectl("wait", "pod/server", "--for=condition=Ready", "-n", space, "--timeout=60s")
    return encoded(authority.pair.certificate.read_bytes())


@pytest.mark.skipif(not PYTHON.exists(), reason="needs the Python of Debian")
def test_a_pod_judges_configmaps_and_serves_a_group(cluster: RunningCluster, space: str, tmp_path: pathlib.Path):
    authority = deploy(cluster, space, tmp_path)
    service = {"name": "server", "namespace": space, "port": 8443}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE"]}
    webhook = {
        "name": "deny.example.com",
        "rules": [rule],
        "clientConfig": {"service": service | {"path": "/configmaps"}, "caBundle": authority},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}},
    }
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": space},
        "webhooks": [webhook],
    }
    api_service = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1alpha1.wardle.example.com"},
        "spec": {
            "group": "wardle.example.com",
            "version": "v1alpha1",
            "service": service,
            "caBundle": authority,
            "groupPriorityMinimum": 2000,
            "versionPriority": 200,
        },
    }
    try:
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(configuration))
        said = cluster.kubectl_fails("create", "configmap", "a", "--from-literal=bad=yes", "-n", space)
        assert 'admission webhook "deny.example.com" denied the request: the configmap contains unwanted' in said
        cluster.kubectl("create", "configmap", "b", "--from-literal=good=yes", "-n", space)

        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(api_service))
        cluster.kubectl("wait", "apiservice/v1alpha1.wardle.example.com", "--for=condition=Available", "--timeout=30s")
        assert "flunders" in cluster.kubectl("api-resources", "--api-group=wardle.example.com")
        assert cluster.jsonpath("{.items[0].metadata.annotations.by}", "flunders", "-n", space) == "kubernetes-admin"

        cluster.kubectl("delete", "pod", "server", "-n", space, "--timeout=30s")
        cluster.kubectl(
            "wait", "apiservice/v1alpha1.wardle.example.com", "--for=condition=Available=False", "--timeout=30s"
        )
        assert "failed calling webhook" in cluster.kubectl_fails("create", "configmap", "c", "-n", space)
    finally:
        cluster.kubectl("delete", "apiservice", "v1alpha1.wardle.example.com", "--ignore-not-found")
        cluster.kubectl("delete", "validatingwebhookconfiguration", space, "--ignore-not-found")
