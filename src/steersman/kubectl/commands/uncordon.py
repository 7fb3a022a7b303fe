"""`kubectl uncordon`: a node takes pods again."""

from steersman.kubectl import flags_shared, nodes, writes
from steersman.kubectl.call import Call

FLAGS = (flags_shared.DRY_RUN, flags_shared.SELECTOR)
USAGE = "NODE"
HELP = """Mark a node as schedulable.
"""
EXAMPLES = """
# A node that is back in service
{program} uncordon node1
"""


async def run(call: Call) -> None:
    how = writes.dry_run(call)
    await nodes.cordon(call, await nodes.find(call, f"uncordon {USAGE}"), how, wanted=False)
