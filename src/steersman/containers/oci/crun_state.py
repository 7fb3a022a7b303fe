"""What crun keeps of a container, written for one that crun did not make, so that it can execute something in it.

Read by crun 1.x (libcrun's status.c): two files in a folder of the container's name below `--root`. Small imports only.
"""

import contextlib
import json
import os
from typing import Any

from steersman.containers.oci import records


def ensure(state_dir: str, name: str, folder: str, started: dict[str, Any], group: str, root: str) -> None:
    """`started` as in the container's record; idempotent, and a file that crun has written stays."""
    state = os.path.join(state_dir, name)
    if os.path.exists(os.path.join(state, "status")):
        return
    with contextlib.suppress(FileExistsError):
        os.mkdir(state, 0o700)
    with contextlib.suppress(FileExistsError):
        os.link(os.path.join(folder, records.CONFIG), os.path.join(state, "config.json"))
    status = {
        "pid": started["pid"],
        "process-start-time": started["ticks"],
        "cgroup-path": "/" + group.strip("/"),
        "scope": "",
        "rootfs": root,
        "systemd-cgroup": False,
        "bundle": folder,
        "created": started["started_at"],
        "owner": "root",
        "detached": True,
        "external_descriptors": json.dumps(["/dev/null"] * 3),
    }
    records.write(os.path.join(state, "status"), status)
