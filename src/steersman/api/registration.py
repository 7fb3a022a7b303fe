"""APIServices: the condition of those that this server serves itself, and what a client may not say of any. Pure."""

from steersman.api import strategies
from steersman.meta import conditions
from steersman.meta.objects import Object

AVAILABLE = "Available"
LOCAL = conditions.make(AVAILABLE, "True", "Local", "Local APIServices are always available")


def prepare(new: Object, old: Object | None) -> None:
    """One without a service is available from the moment it is created."""
    strategies.drop_status(new, old)
    if old is None and (new.get("spec") or {}).get("service") is None:
        new["status"] = local_status(new["metadata"].get("creationTimestamp", ""))


def local_status(now: str) -> Object:
    return {"conditions": [{"lastTransitionTime": now, **LOCAL}]}
