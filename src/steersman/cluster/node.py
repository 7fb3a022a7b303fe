"""`steersman node stop` and `node start`: one node's power, off and on; `node stop --graceful` ends its pods first, and
`node start` calls that off while it goes on."""

import sys

from steersman.aio.clock import SystemClock
from steersman.cluster import control, paths

LOOK_SECONDS = 0.1


def run(command: str, node: str, name: str, data_dir: str | None) -> int:
    where = paths.of_cluster(name, data_dir)
    try:
        answer = control.ask(where.control_socket, {"command": command, "node": node})
        if command == "node-shutdown" and "error" not in answer:
            while (found := _process(where, node))["running"]:
                if found["wanted"]:
                    print(f"{node} stays up: its shutdown was called off.", file=sys.stderr)
                    return 1
                SystemClock().pause(LOOK_SECONDS)
            answer = control.ask(where.control_socket, {"command": "node-stop", "node": node})
    except control.NotRunning:
        print(f'Cluster "{name}" does not run. Start it with: script/up -d', file=sys.stderr)
        return 3
    if "error" in answer:
        print(answer["error"], file=sys.stderr)
        return 1
    print(answer["done"])
    return 0


def _process(where: paths.Paths, node: str) -> control.Message:
    """The node's process, which ends when its pods' grace periods are over."""
    found = control.ask(where.control_socket, {"command": "status"})
    return next(dict(one) for one in found["processes"] if one["name"] == node)
