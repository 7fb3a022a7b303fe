"""Defaults of pods and of every pod template."""

from collections.abc import Iterator
from typing import Any

from steersman.api import pod_resources
from steersman.meta import quantities
from steersman.meta.objects import Object

GRACE_SECONDS = 30
SCHEDULER = "default-scheduler"
FILE_MODE = 0o644  # of files in secret, configMap, downwardAPI and projected volumes
TOKEN_SECONDS = 3600

_CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_MILLI = 10**6  # nanos


def default_pod(pod: Object) -> None:
    spec = pod.setdefault("spec", {})
    default_spec(spec)
    if spec.get("hostNetwork"):
        _default_host_ports(spec)
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        _default_requests(container)
    _default_pod_requests(spec)
    spec.setdefault("enableServiceLinks", True)
    pod.setdefault("status", {}).setdefault("phase", "Pending")


def default_template(template: Object) -> None:
    """What a pod template gets; the rest waits until pods are made of it."""
    template.setdefault("metadata", {})
    default_spec(template.setdefault("spec", {}))


def default_spec(spec: Object) -> None:
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("securityContext", {})
    spec.setdefault("terminationGracePeriodSeconds", GRACE_SECONDS)
    spec.setdefault("schedulerName", SCHEDULER)
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for volume in spec.get("volumes") or ():
        _default_volume(volume)
    for container in containers_of(spec):
        default_container(container)


def containers_of(spec: Object) -> Iterator[Object]:
    """Containers, init containers, ephemeral containers."""
    for field in _CONTAINER_LISTS:
        yield from spec.get(field) or ()


def pull_policy(image: str) -> str:
    """Always for `:latest` or no tag, IfNotPresent for any other tag or a digest."""
    last = image.rpartition("/")[2]
    if "@" in last:
        return "IfNotPresent"
    return "IfNotPresent" if last.partition(":")[2] not in ("", "latest") else "Always"


def default_container(container: Object) -> None:
    """Of any sort."""
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = pull_policy(container.get("image", ""))
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    resources = container.setdefault("resources", {})
    for field in ("limits", "requests"):
        _round_up(resources, field)
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for variable in container.get("env") or ():
        source = variable.get("valueFrom")
        if source and source.get("fieldRef") is not None:
            source["fieldRef"].setdefault("apiVersion", "v1")
        if source and source.get("resourceFieldRef") is not None:
            source["resourceFieldRef"].setdefault("divisor", "0")
        if source and source.get("fileKeyRef") is not None:
            source["fileKeyRef"].setdefault("optional", False)
    for field in _PROBES:
        if container.get(field) is not None:
            _default_probe(container[field])
    for handler in (container.get("lifecycle") or {}).values():
        if isinstance(handler, dict):
            _default_http_get(handler)


def _default_probe(probe: Object) -> None:
    probe["timeoutSeconds"] = probe.get("timeoutSeconds") or 1
    probe["periodSeconds"] = probe.get("periodSeconds") or 10
    probe["successThreshold"] = probe.get("successThreshold") or 1
    probe["failureThreshold"] = probe.get("failureThreshold") or 3
    _default_http_get(probe)
    if probe.get("grpc") is not None:
        probe["grpc"].setdefault("service", "")


def _default_http_get(handler: Object) -> None:
    action = handler.get("httpGet")
    if action is not None:
        action["path"] = action.get("path") or "/"
        action["scheme"] = action.get("scheme") or "HTTP"


def _default_requests(container: Object) -> None:
    """Requests default to limits, in pods only: a template must not pin what its pods inherit."""
    resources = container["resources"]
    limits = resources.get("limits")
    if limits:
        resources["requests"] = {**limits, **(resources.get("requests") or {})}


def _default_pod_requests(spec: Object) -> None:
    """A pod that asks for anything as a whole asks at least for what its containers do, else for what it may use."""
    resources = spec.get("resources")
    if not resources or not (resources.get("limits") or resources.get("requests")):
        return
    requests = dict(resources.get("requests") or {})
    for name, asked in pod_resources.aggregate_requests(spec).items():
        if name in pod_resources.SHARED:
            requests.setdefault(name, asked)
    for name, limit in (resources.get("limits") or {}).items():
        if pod_resources.is_of_pods(name):
            requests.setdefault(name, limit)
    if requests:
        resources["requests"] = requests


def _round_up(resources: Object, field: str) -> None:
    """Resource amounts are kept in thousandths at the finest."""
    amounts = resources.get(field)
    if not amounts:
        return
    for name, amount in amounts.items():
        parsed = quantities.parse(amount)
        if parsed.nanos % _MILLI:
            amounts[name] = quantities.format(quantities.Quantity(parsed.millis * _MILLI, parsed.form))


def _default_host_ports(spec: Object) -> None:
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        for port in container.get("ports") or ():
            if not port.get("hostPort"):
                port["hostPort"] = port.get("containerPort", 0)


def _default_volume(volume: Object) -> None:
    sources = [key for key in volume if key != "name"]
    if not sources:
        volume["emptyDir"] = {}
        return
    for kind in sources:
        source = volume[kind]
        if isinstance(source, dict):
            _VOLUMES.get(kind, _leave)(source)


def _leave(source: Object) -> None:
    """Most kinds of volumes have no defaults."""


def _mode(source: Object) -> None:
    source.setdefault("defaultMode", FILE_MODE)


def _downward_api(source: Object) -> None:
    _mode(source)
    _downward_items(source)


def _downward_items(source: Object) -> None:
    for item in source.get("items") or ():
        if item.get("fieldRef") is not None:
            item["fieldRef"].setdefault("apiVersion", "v1")
        if item.get("resourceFieldRef") is not None:
            item["resourceFieldRef"].setdefault("divisor", "0")


def _projected(source: Object) -> None:
    _mode(source)
    for part in source.get("sources") or ():
        if part.get("serviceAccountToken") is not None:
            part["serviceAccountToken"].setdefault("expirationSeconds", TOKEN_SECONDS)
        if part.get("downwardAPI") is not None:
            _downward_items(part["downwardAPI"])


def _ephemeral(source: Object) -> None:
    template = source.get("volumeClaimTemplate")
    if template is not None:
        template.setdefault("metadata", {})
        template.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")


def _setter(**values: Any) -> Any:
    def default(source: Object) -> None:
        for key, value in values.items():
            source.setdefault(key, value)

    return default


_VOLUMES: dict[str, Any] = {
    "secret": _mode,
    "configMap": _mode,
    "downwardAPI": _downward_api,
    "projected": _projected,
    "ephemeral": _ephemeral,
    "hostPath": _setter(type=""),
    "iscsi": _setter(iscsiInterface="default"),
    "rbd": _setter(pool="rbd", user="admin", keyring="/etc/ceph/keyring"),
    "scaleIO": _setter(storageMode="ThinProvisioned", fsType="xfs"),
    "azureDisk": _setter(cachingMode="ReadWrite", kind="Shared", fsType="ext4", readOnly=False),
}
