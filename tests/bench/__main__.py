"""`script/bench [NAME …]`: run the measurements (all of them without a name) and print one table each."""

import importlib
import platform
import sys

from tests.bench import report

BENCHES = {
    "scheduler": "The scheduler's decision",
    "cel": "Expressions (CEL)",
    "network": "Pod network, packet rules, DNS (root only)",
    "api": "The API server over TLS, durable store",
    "writes": "What one write costs the API server, in one process",
    "kit": "The test kit, in one process",
    "simulation": "One virtual hour of a cluster under faults",
    "cluster": "A cluster of real processes (root only)",
    "kubelet": "One real node (root only)",
    "controllers": "Deployments on paper nodes, through every process",
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    print(f"Python {platform.python_version()}, {platform.system()} {platform.release()}\n")
    for name in names or BENCHES:
        bench = importlib.import_module(f"tests.bench.bench_{name}")
        print(report.table(BENCHES[name], bench.run()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
