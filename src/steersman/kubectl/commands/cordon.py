"""`kubectl cordon`: no new pods for a node."""

from steersman.kubectl import flags_shared, nodes, writes
from steersman.kubectl.call import Call

FLAGS = (flags_shared.DRY_RUN, flags_shared.SELECTOR)
USAGE = "NODE"
HELP = """Mark a node as unschedulable: the pods that it has stay, new ones go elsewhere.
"""
EXAMPLES = """
# No new pods for a node
{program} cordon node1
"""


async def run(call: Call) -> None:
    how = writes.dry_run(call)
    await nodes.cordon(call, await nodes.find(call, f"cordon {USAGE}"), how, wanted=True)
