"""Asking the metrics API (`metrics.k8s.io`), which a cluster has or has not."""

from steersman.kubectl.call import Call
from steersman.kubectl.problems import CommandError, UsageError

SORTS = ("cpu", "memory")
ROOT = "/apis/metrics.k8s.io/v1beta1"


def check(call: Call, usage: str, *selectors: str) -> str:
    """The name that was asked for, if any. Raises CommandError for flags that do not go together."""
    if len(call.arguments) > 1:
        raise UsageError(usage)
    name = call.arguments[0] if call.arguments else ""
    if call.flags["sort-by"] and call.flags["sort-by"] not in SORTS:
        raise CommandError("--sort-by accepts only cpu or memory")
    if name and any(call.flags[flag] for flag in selectors):
        what = "selector" if len(selectors) > 1 else "--selector"
        raise CommandError(f"only one of NAME or {what} can be provided")
    return name


async def require(call: Call) -> None:
    """Raises CommandError where the cluster has none."""
    groups = (await call.ask("GET", "/apis")).get("groups") or ()
    versions = {one.get("groupVersion") for group in groups for one in group.get("versions") or ()}
    if "metrics.k8s.io/v1beta1" not in versions:
        raise CommandError("Metrics API not available")
