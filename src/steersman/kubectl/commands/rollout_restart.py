"""`kubectl rollout restart`: new pods take the place of all, as their controller replaces them."""

from steersman.kubectl import flags_shared, rollouts
from steersman.kubectl.call import Call
from steersman.kubectl.rollout_progress import RolloutError
from steersman.meta.objects import Object

FLAGS = (
    flags_shared.field_manager("kubectl-rollout"),
    *flags_shared.filenames("to restart"),
    flags_shared.SELECTOR,
    *flags_shared.PRINT,
)
USAGE = "RESOURCE"
HELP = """Restart a resource: its pods are replaced, as after a change of their template.
"""
EXAMPLES = """
# All Deployments of the namespace
{program} rollout restart deployment

# One of them
{program} rollout restart deployment/web

# A DaemonSet
{program} rollout restart daemonset/logs

# Those with a label
{program} rollout restart deployment --selector=app=web
"""


RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
_KINDS = ("Deployment", "DaemonSet", "StatefulSet")


async def run(call: Call) -> None:
    now = call.clock.now().astimezone().isoformat(timespec="seconds").replace("+00:00", "Z")
    await rollouts.patch_all(call, lambda obj: decide(obj, now), "restarted")


def decide(obj: Object, now: str) -> Object:
    """{} when it was restarted within this second. Raises RolloutError."""
    if obj.get("kind") not in _KINDS or not obj.get("apiVersion", "").startswith("apps/"):
        raise RolloutError("restarting is not supported")
    if obj["kind"] == "Deployment" and obj["spec"].get("paused"):
        raise RolloutError("can't restart paused deployment (run rollout resume first)")
    annotations = (obj["spec"]["template"].get("metadata") or {}).get("annotations") or {}
    if annotations.get(RESTARTED_AT) == now:
        return {}
    return {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: now}}}}}
