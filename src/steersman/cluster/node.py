"""`steersman node stop` and `node start`: one node's power, off and on."""

import sys

from steersman.cluster import control, paths


def run(command: str, node: str, name: str, data_dir: str | None) -> int:
    where = paths.of_cluster(name, data_dir)
    try:
        answer = control.ask(where.control_socket, {"command": command, "node": node})
    except control.NotRunning:
        print(f'Cluster "{name}" does not run. Start it with: script/up -d', file=sys.stderr)
        return 3
    if "error" in answer:
        print(answer["error"], file=sys.stderr)
        return 1
    print(answer["done"])
    return 0
