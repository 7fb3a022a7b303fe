"""Defaults of Namespaces, Nodes, Secrets, RBAC objects and PriorityClasses."""

import base64

from steersman.meta.objects import Object

RBAC = "rbac.authorization.k8s.io"
NAMESPACE_LABEL = "kubernetes.io/metadata.name"


def default_namespace(namespace: Object) -> None:
    namespace.setdefault("status", {}).setdefault("phase", "Active")
    namespace.setdefault("spec", {})
    metadata = namespace["metadata"]
    if metadata.get("name"):
        metadata["labels"] = {**(metadata.get("labels") or {}), NAMESPACE_LABEL: metadata["name"]}


def default_node(node: Object) -> None:
    node.setdefault("spec", {})
    status = node.setdefault("status", {})
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])


def default_secret(secret: Object) -> None:
    """`stringData` is write-only: it goes into `data`, encoded, and wins over it."""
    secret["type"] = secret.get("type") or "Opaque"
    plain = secret.pop("stringData", None)
    if plain:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        secret["data"] = {**(secret.get("data") or {}), **encoded}


def default_role(role: Object) -> None:
    role.setdefault("rules", [])


def default_binding(binding: Object) -> None:
    reference = binding.setdefault("roleRef", {})
    reference["apiGroup"] = reference.get("apiGroup") or RBAC
    for subject in binding.get("subjects") or ():
        if not subject.get("apiGroup"):
            group = RBAC if subject.get("kind") in ("User", "Group") else ""
            if group:
                subject["apiGroup"] = group


def default_priority_class(priority_class: Object) -> None:
    priority_class["preemptionPolicy"] = priority_class.get("preemptionPolicy") or "PreemptLowerPriority"


def default_lease(lease: Object) -> None:
    lease.setdefault("spec", {})


def default_api_service(api_service: Object) -> None:
    service = (api_service.get("spec") or {}).get("service")
    if service is not None:
        service.setdefault("port", 443)
