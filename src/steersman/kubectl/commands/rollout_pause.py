"""`kubectl rollout pause`: changes of a Deployment do nothing until it is resumed."""

from steersman.kubectl import flags_shared, rollouts
from steersman.kubectl.call import Call
from steersman.kubectl.rollout_progress import RolloutError
from steersman.meta.objects import Object

FLAGS = (
    flags_shared.field_manager("kubectl-rollout"),
    *flags_shared.filenames("to pause"),
    flags_shared.SELECTOR,
    *flags_shared.PRINT,
)
USAGE = "RESOURCE"
HELP = """Mark a resource as paused: its controller leaves it alone.

Deployments can be paused, and nothing else.
"""
EXAMPLES = """
# Change several things, and roll out once
{program} rollout pause deployment/web
"""


async def run(call: Call) -> None:
    await rollouts.patch_all(call, decide, "paused")


def decide(obj: Object) -> Object:
    """Raises RolloutError."""
    if obj.get("kind") != "Deployment":
        raise RolloutError("pausing is not supported")
    if obj["spec"].get("paused"):
        raise RolloutError("is already paused")
    return {"spec": {"paused": True}}
