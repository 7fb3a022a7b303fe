"""`steersman status` on a machine that joined a cluster: what runs here, and how the cluster sees it."""

import asyncio
from typing import Any

from steersman.aio.clock import SystemClock
from steersman.cluster import control
from steersman.cluster.api_access import is_ready
from steersman.cluster.join import contact
from steersman.cluster.join.membership import Membership
from steersman.cluster.paths import Paths


def gather(where: Paths, of: Membership) -> dict[str, Any]:
    """As `cluster.status.gather` has it, of this machine alone."""
    try:
        answer = control.ask(where.control_socket, {"command": "status"})
    except control.NotRunning:
        return {"running": False, "dataDir": str(where.data)}
    found = asyncio.run(contact.see_own(where, of, SystemClock()))
    pods = found.pods if found else []
    return {
        "running": True,
        "joined": True,
        "apiReady": found is not None,
        "version": found.version if found else "",
        "server": of.server,
        "dataDir": str(where.data),
        "processes": answer["processes"],
        "nodes": [
            {
                "name": of.node,
                "ready": bool(found and found.node and is_ready(found.node)),
                "address": of.address,
                "pods": len(pods),
            }
        ],
        "pods": {"total": len(pods), "running": sum(p.get("status", {}).get("phase") == "Running" for p in pods)},
    }
