"""`kubectl rollout resume`: a Deployment that was paused goes on."""

from steersman.kubectl import flags_shared, rollouts
from steersman.kubectl.call import Call
from steersman.kubectl.rollout_progress import RolloutError
from steersman.meta.objects import Object

FLAGS = (
    flags_shared.field_manager("kubectl-rollout"),
    *flags_shared.filenames("to resume"),
    flags_shared.SELECTOR,
    *flags_shared.PRINT,
)
USAGE = "RESOURCE"
HELP = """Resume a paused resource: its controller looks after it again.

Deployments can be resumed, and nothing else.
"""
EXAMPLES = """
# What was changed meanwhile is rolled out
{program} rollout resume deployment/web
"""


async def run(call: Call) -> None:
    await rollouts.patch_all(call, decide, "resumed")


def decide(obj: Object) -> Object:
    """Raises RolloutError."""
    if obj.get("kind") != "Deployment":
        raise RolloutError("resuming is not supported")
    if not obj["spec"].get("paused"):
        raise RolloutError("is not paused")
    return {"spec": {"paused": None}}
