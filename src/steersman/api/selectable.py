"""Selectable fields: what field selectors may ask of each kind, beyond metadata.name and metadata.namespace.

Every function answers all its keys also for an empty object, which is how the names of the fields are asked.
"""

from collections.abc import Mapping

from steersman.meta.objects import Object


def of_pod(pod: Object) -> Mapping[str, str]:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    pod_ips = status.get("podIPs") or ()
    return {
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.restartPolicy": spec.get("restartPolicy", ""),
        "spec.schedulerName": spec.get("schedulerName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "spec.hostNetwork": _boolean(spec.get("hostNetwork")),
        "status.phase": status.get("phase", ""),
        "status.podIP": pod_ips[0].get("ip", "") if pod_ips else "",
        "status.nominatedNodeName": status.get("nominatedNodeName", ""),
    }


def of_node(node: Object) -> Mapping[str, str]:
    return {"spec.unschedulable": _boolean((node.get("spec") or {}).get("unschedulable"))}


def of_namespace(namespace: Object) -> Mapping[str, str]:
    phase = (namespace.get("status") or {}).get("phase", "")
    return {"status.phase": phase, "name": (namespace.get("metadata") or {}).get("name", "")}


def of_volume(volume: Object) -> Mapping[str, str]:
    """Of PersistentVolumes and their claims: the name without `metadata.`, as old clients ask for it."""
    return {"name": (volume.get("metadata") or {}).get("name", "")}


def of_secret(secret: Object) -> Mapping[str, str]:
    return {"type": secret.get("type", "")}


def of_service(service: Object) -> Mapping[str, str]:
    spec = service.get("spec") or {}
    return {"spec.clusterIP": spec.get("clusterIP", ""), "spec.type": spec.get("type", "")}


def of_replica_set(replica_set: Object) -> Mapping[str, str]:
    return {"status.replicas": str((replica_set.get("status") or {}).get("replicas", 0))}


def of_replication_controller(controller: Object) -> Mapping[str, str]:
    return of_replica_set(controller)


def of_job(job: Object) -> Mapping[str, str]:
    return {"status.successful": str((job.get("status") or {}).get("succeeded", 0))}


def of_event(event: Object) -> Mapping[str, str]:
    about, source = event.get("involvedObject") or {}, event.get("source") or {}
    component = source.get("component") or event.get("reportingComponent", "")
    return {
        "involvedObject.kind": about.get("kind", ""),
        "involvedObject.namespace": about.get("namespace", ""),
        "involvedObject.name": about.get("name", ""),
        "involvedObject.uid": about.get("uid", ""),
        "involvedObject.apiVersion": about.get("apiVersion", ""),
        "involvedObject.resourceVersion": about.get("resourceVersion", ""),
        "involvedObject.fieldPath": about.get("fieldPath", ""),
        "reason": event.get("reason", ""),
        "reportingComponent": component,
        "source": component,
        "type": event.get("type", ""),
    }


def of_trust_bundle(bundle: Object) -> Mapping[str, str]:
    return {"spec.signerName": (bundle.get("spec") or {}).get("signerName", "")}


def of_certificate_request(request: Object) -> Mapping[str, str]:
    return {"spec.signerName": (request.get("spec") or {}).get("signerName", "")}


def of_pod_certificate_request(request: Object) -> Mapping[str, str]:
    spec = request.get("spec") or {}
    return {f"spec.{field}": spec.get(field, "") for field in ("signerName", "podName", "nodeName")}


def of_resource_slice(found: Object) -> Mapping[str, str]:
    spec = found.get("spec") or {}
    return {"spec.nodeName": spec.get("nodeName", ""), "spec.driver": spec.get("driver", "")}


_NEW_EVENT = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")


def of_new_event(event: Object) -> Mapping[str, str]:
    """Of events.k8s.io/v1."""
    about, source = event.get("regarding") or {}, event.get("deprecatedSource") or {}
    return {
        **{f"regarding.{field}": about.get(field, "") for field in _NEW_EVENT},
        "reason": event.get("reason", ""),
        "reportingController": source.get("component") or event.get("reportingController", ""),
        "type": event.get("type", ""),
    }


def _boolean(value: object) -> str:
    return "true" if value else "false"
