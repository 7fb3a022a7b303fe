"""Warnings about Services, Nodes and ServiceAccounts. Source: the `GetWarningsFor…` of upstream's pkg/api."""

from steersman.api.warnings import pods
from steersman.meta.objects import Object

_HINTS = "service.kubernetes.io/topology-aware-hints"
_ENFORCE = "kubernetes.io/enforce-mountable-secrets"


def of_service(new: Object, old: Object | None) -> list[str]:
    spec, found = new.get("spec") or {}, []
    if _HINTS in (new["metadata"].get("annotations") or {}):
        found.append(f"annotation {_HINTS} is deprecated, please use service.kubernetes.io/topology-mode instead")
    if spec.get("clusterIP") == "None" and spec.get("sessionAffinity") == "ClientIP":
        found.append("spec.SessionAffinity is ignored for headless services")
    if spec.get("clusterIP") == "None" and spec.get("loadBalancerIP"):
        found.append("spec.loadBalancerIP is ignored for headless services")
    if spec.get("externalName") and spec.get("type") != "ExternalName":
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    return found


def of_node(new: Object, old: Object | None) -> list[str]:
    spec, found = new.get("spec") or {}, []
    if spec.get("configSource") is not None:
        found.append(
            "spec.configSource: the support for dynamic kubelet configuration was removed, and this field is no longer used"
        )
    if spec.get("externalID"):
        found.append("spec.externalID: this field is deprecated, and is unused by Kubernetes")
    return found


def of_service_account(new: Object, old: Object | None) -> list[str]:
    if _ENFORCE not in (new["metadata"].get("annotations") or {}):
        return []
    text = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
    return [f"metadata.annotations[{_ENFORCE}]: {text}"]


def of_runtime_class(new: Object, old: Object | None) -> list[str]:
    selector = (new.get("scheduling") or {}).get("nodeSelector") or {}
    return [f"scheduling.nodeSelector: {key} is {pods.LABELS[key]}" for key in selector if key in pods.LABELS]
