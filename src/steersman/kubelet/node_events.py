"""What a node's Events say when its status changes. Pure. Source: upstream's kubelet/nodestatus/setters.go."""

from collections.abc import Iterator

from steersman.meta import conditions
from steersman.meta.objects import Object

# Condition → reason when it is True, reason when it is not.
REASONS = {
    "MemoryPressure": ("NodeHasInsufficientMemory", "NodeHasSufficientMemory"),
    "DiskPressure": ("NodeHasDiskPressure", "NodeHasNoDiskPressure"),
    "PIDPressure": ("NodeHasInsufficientPID", "NodeHasSufficientPID"),
    "Ready": ("NodeReady", "NodeNotReady"),
}


def of_change(name: str, was: Object, now: Object) -> Iterator[tuple[str, str, str]]:
    """(type, reason, message) for each thing that `now` says anew."""
    before, after = was.get("conditions") or [], now.get("conditions") or []
    for kind, reasons in REASONS.items():
        old, new = conditions.find(before, kind), conditions.find(after, kind)
        if new is not None and (old is None or old["status"] != new["status"]):
            reason = reasons[0] if new["status"] == "True" else reasons[1]
            yield "Normal", reason, f"Node {name} status is now: {reason}"
    old_boot, new_boot = _boot_id(was), _boot_id(now)
    if old_boot and new_boot and old_boot != new_boot:
        yield "Warning", "Rebooted", f"Node {name} has been rebooted, boot id: {new_boot}"


def _boot_id(status: Object) -> str:
    return str((status.get("nodeInfo") or {}).get("bootID") or "")
