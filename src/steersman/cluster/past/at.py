"""`steersman at MOMENT COMMAND…`: kubectl's verbs, looking at the cluster as it was.

The API server shows the past under a path of its own, so any client can look there; these are given a kubeconfig for it.
"""

import os
import pathlib
import sys
import tempfile
import urllib.parse

from steersman.client import kubeconfig
from steersman.cluster import paths
from steersman.cluster.past import asking
from steersman.kubectl import main as kubectl


def run(moment: str, command: tuple[str, ...], name: str, data_dir: str | None) -> int:
    """The verb's exit code."""
    with asking.told():
        where = paths.of_cluster(name, data_dir)
        api, _ = asking.access(where, name)
        then = asking.ask(api, f"/steersman/at/{urllib.parse.quote(moment, safe='')}")
        config = kubeconfig.load([where.in_use().kubeconfig])
        server = config["clusters"][0]["cluster"]
        server["server"] += f"/steersman/at/{then['time']}"
        print(f"as it was at {then['time']}, revision {then['revision']}", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "kubeconfig"
            kubeconfig.write(file, config)
            environment = {**os.environ, "KUBECONFIG": str(file)}
            return kubectl.run(command, environment=environment, program=f"steersman at {moment}")
