"""`kubectl top node`: what nodes use of CPU and memory, and how much of what they have that is."""

import urllib.parse

from steersman.kubectl import flags, flags_shared, metrics_api, usage
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError
from steersman.meta import selectors

FLAGS = (
    Flag("no-headers", flags.BOOL, help="Print no headers."),
    flags_shared.SELECTOR,
    Flag("show-capacity", flags.BOOL, help="Compare with all that a node has, not with what pods may have."),
    Flag("sort-by", help="Show those first that use most: cpu or memory."),
    Flag("use-protocol-buffers", flags.BOOL, True, help="Accepted; metrics are read as JSON."),
)
USAGE = "node [NAME | -l label]"
HELP = """Show what nodes use of CPU and memory.
"""
EXAMPLES = """
# All nodes
{program} top node

# One node
{program} top node node-1
"""


async def run(call: Call) -> int | None:
    name = metrics_api.check(call, USAGE, "selector")
    try:
        labels = str(selectors.parse(call.flags["selector"])) if call.flags["selector"] else ""
    except selectors.SelectorError as wrong:
        raise CommandError(str(wrong)) from None
    await metrics_api.require(call)
    path, root = f"{metrics_api.ROOT}/nodes", "/api/v1/nodes"
    if name:
        quoted = urllib.parse.quote(name)
        metrics = [await call.ask("GET", f"{path}/{quoted}")]
    else:
        metrics = (await call.ask("GET", path, {"labelSelector": labels})).get("items") or []
    if not metrics:
        raise CommandError("metrics not available yet")
    nodes = (
        [await call.ask("GET", f"{root}/{quoted}")]
        if name
        else (await call.ask("GET", root, {"labelSelector": labels})).get("items") or []
    )
    which = "capacity" if call.flags["show-capacity"] else "allocatable"
    available = {node["metadata"]["name"]: (node.get("status") or {}).get(which) or {} for node in nodes}
    options = usage.Options(headers=not call.flags["no-headers"], sort_by=call.flags["sort-by"])
    call.write(usage.nodes(metrics, available, options))
    return None
