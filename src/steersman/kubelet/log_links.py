"""`/var/log/containers`: a link to the log of each container, named so that log collectors know whose it is.

Source of names: upstream's legacyLogSymlink. Where a node keeps its logs is its own affair, as several nodes share a machine: pods
that mount upstream's folders get the node's (`volumes/host_path`). So links lead to where a log is relative to them.
"""

import contextlib
from pathlib import Path

from steersman.kubelet import pod_files
from steersman.kubelet.options import Options
from steersman.meta import objects
from steersman.meta.objects import Object

NAME_MOST_BYTES = 255  # of a file


def folder(options: Options) -> Path:
    return options.logs / "containers"


def path(pod: Object, container: str, container_id: str, options: Options) -> Path:
    name = f"{objects.name(pod)}_{objects.namespace(pod)}_{container}-{container_id}"
    return folder(options) / (name[: NAME_MOST_BYTES - len(".log")] + ".log")


def make(pod: Object, container: str, attempt: int, container_id: str, options: Options) -> None:
    with contextlib.suppress(FileExistsError):
        path(pod, container, container_id, options).symlink_to(f"../{pod_files.log_name(pod, container, attempt)}")


def remove(pod: Object, container: str, container_id: str, options: Options) -> None:
    path(pod, container, container_id, options).unlink(missing_ok=True)


def remove_dead(options: Options) -> None:
    """Links to logs that went while no kubelet looked."""
    for link in folder(options).iterdir():
        if not link.exists():
            link.unlink(missing_ok=True)
