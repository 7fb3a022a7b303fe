"""What every object of a built-in kind has before anyone set it, because upstream's Go structs have it.

Who creates an object does not own these containers, only what is in them: no "." under `f:spec` or `f:template` where
upstream has none. The schema package does not tell Go's structs from pointers, so they are listed here.
"""

from collections.abc import Mapping
from typing import Any

from steersman.meta.objects import Object

_REFERENCE = "#/$defs/"
_TOP = ("metadata", "spec", "status")

# By the last part of the definition's name: fields that are structs (and so always there) or lists that Go never leaves out.
_FIELDS: dict[str, tuple[str, ...]] = {
    "CertificateSigningRequest": ("spec",),
    "ClusterRole": ("rules",),
    "ClusterRoleBinding": ("roleRef",),
    "ControllerRevision": ("data",),
    "CronJobSpec": ("jobTemplate",),
    "CSINodeSpec": ("drivers",),
    "CustomResourceDefinitionSpec": ("names", "versions"),
    "CustomResourceDefinitionStatus": ("acceptedNames", "conditions", "storedVersions"),
    "DaemonSetSpec": ("template", "updateStrategy"),
    "DeploymentSpec": ("strategy", "template"),
    "EndpointSlice": ("endpoints", "ports"),
    "Event": ("involvedObject", "source"),
    "FlowSchemaSpec": ("priorityLevelConfiguration",),
    "HorizontalPodAutoscalerSpec": ("scaleTargetRef",),
    "IngressStatus": ("loadBalancer",),
    "JobSpec": ("template",),
    "JobTemplateSpec": ("metadata", "spec"),
    "NetworkPolicySpec": ("podSelector",),
    "NodeStatus": ("daemonEndpoints", "nodeInfo"),
    "NodeDaemonEndpoints": ("kubeletEndpoint",),
    "PersistentVolumeClaimSpec": ("resources",),
    "PodSpec": ("containers",),
    "PodTemplate": ("template",),
    "PodTemplateSpec": ("metadata", "spec"),
    "ResourceClaimSpec": ("devices",),
    "ResourceClaimTemplateSpec": ("metadata", "spec"),
    "Role": ("rules",),
    "RoleBinding": ("roleRef",),
    "ServiceStatus": ("loadBalancer",),
    "StatefulSetSpec": ("template", "updateStrategy"),
}


def zero(definitions: Mapping[str, Any], name: str) -> Object:
    """The containers of an object of that definition, empty."""
    found: Object = {}
    properties = definitions[name].get("properties", {})
    wanted = _FIELDS.get(name.rpartition(".")[2], ())
    is_kind = "x-kubernetes-group-version-kind" in definitions[name]
    for field in (*wanted, *(_TOP if is_kind else ())):
        if field in properties and field not in found:
            reference = properties[field].get("$ref", "").removeprefix(_REFERENCE)
            found[field] = zero(definitions, reference) if reference in definitions else []
    return found
