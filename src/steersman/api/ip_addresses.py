"""The addresses of a Service, and the IPAddress object that stands for each. Pure.

Source: KEP-1880, "Multiple Service CIDRs".
"""

from steersman.api import kinds
from steersman.api.validation import address_families
from steersman.meta import objects
from steersman.meta.objects import Object

FAMILY_LABEL = "ipaddress.kubernetes.io/ip-family"
MANAGED_BY_LABEL = "ipaddress.kubernetes.io/managed-by"
MANAGER = "ipallocator.k8s.io"

ADDRESS_TYPES = frozenset(("ClusterIP", "NodePort", "LoadBalancer"))


def of_service(service: Object) -> list[str]:
    """Its cluster addresses, the first family's first; none where it is headless or a name for something outside."""
    spec = service.get("spec") or {}
    if spec.get("type", "ClusterIP") not in ADDRESS_TYPES:
        return []
    texts = spec.get("clusterIPs") or [spec.get("clusterIP") or ""]
    return [text for text in texts if text and text != "None"]


def make(service: Object, address: str) -> Object:
    """The IPAddress of one of a Service's addresses."""
    parent = {"resource": "services", "namespace": objects.namespace(service), "name": objects.name(service)}
    return {
        "kind": kinds.IP_ADDRESS.kind,
        "apiVersion": kinds.IP_ADDRESS.api_version,
        "metadata": {
            "name": address_families.normal(address),
            "labels": {FAMILY_LABEL: address_families.family_of(address), MANAGED_BY_LABEL: MANAGER},
        },
        "spec": {"parentRef": parent},
    }


def is_of_services(address: Object) -> bool:
    """Looked after by the API server and the controller, and by nobody else."""
    return objects.labels(address).get(MANAGED_BY_LABEL) == MANAGER
