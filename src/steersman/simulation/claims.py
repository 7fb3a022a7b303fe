"""What an object has for itself alone: addresses, node ports, ranges, a claim's volume, a volume's claim."""

from steersman.api import kinds
from steersman.apiserver import keys
from steersman.meta.objects import Object


def of(resource: str, obj: Object | None) -> tuple[str, ...]:
    claims = _OF.get(resource)
    return () if claims is None or obj is None else claims(obj)


def _of_service(service: Object) -> tuple[str, ...]:
    found = [address for address in service["spec"].get("clusterIPs") or () if address != "None"]
    ports = [f"node port {port['nodePort']}" for port in service["spec"].get("ports") or () if port.get("nodePort")]
    return (*found, *ports)


def _of_pod(pod: Object) -> tuple[str, ...]:
    """Only of pods that run."""
    status = pod.get("status") or {}
    if status.get("phase") in ("Succeeded", "Failed") or pod["spec"].get("hostNetwork"):
        return ()
    statuses = status.get("containerStatuses") or ()
    if not any("running" in (one.get("state") or {}) for one in statuses):
        return ()
    return tuple(one["ip"] for one in status.get("podIPs") or ())


def _of_node(node: Object) -> tuple[str, ...]:
    return tuple(node["spec"].get("podCIDRs") or ())


def _of_claim(claim: Object) -> tuple[str, ...]:
    volume = claim["spec"].get("volumeName")
    return (f"volume {volume}",) if volume else ()


def _of_volume(volume: Object) -> tuple[str, ...]:
    uid = (volume["spec"].get("claimRef") or {}).get("uid")
    return (f"claim {uid}",) if uid else ()


_OF = {
    keys.prefix(kinds.SERVICE): _of_service,
    keys.prefix(kinds.POD): _of_pod,
    keys.prefix(kinds.NODE): _of_node,
    keys.prefix(kinds.PERSISTENT_VOLUME_CLAIM): _of_claim,
    keys.prefix(kinds.PERSISTENT_VOLUME): _of_volume,
}
