"""What is mounted into every container needs something to be mounted on. The lowest layer of a root filesystem has it.

Where an image lacks them, crun makes these folders and files among the container's own changes: eight entries on the disk for
each container, and as many to remove. Layers of the image hide these, wherever it has something of its own there.
"""

import contextlib
import os
from collections.abc import Collection

FOLDERS = ("proc", "dev", "sys", "etc")
FILES = ("etc/hostname", "etc/hosts", "etc/resolv.conf")
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # where almost every pod, but not every one, has its token

FOLDER = "points"  # beside the folder of layers
PLAIN, WITH_TOKEN = "plain", "token"


def ensure(layers_dir: str) -> None:
    """Idempotent; several processes may do it at once."""
    beside = os.path.join(os.path.dirname(layers_dir), FOLDER)
    for name, more in ((PLAIN, ()), (WITH_TOKEN, (TOKEN.lstrip("/"),))):
        root = os.path.join(beside, name)
        for folder in (*FOLDERS, *more):
            os.makedirs(os.path.join(root, folder), exist_ok=True)
        for file in FILES:
            with contextlib.suppress(FileExistsError):
                os.close(os.open(os.path.join(root, file), os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))


def layer(destinations: Collection[str]) -> str:
    """The name of the lowest layer, relative to the folder of layers, for a container with mounts at `destinations`."""
    return os.path.join("..", FOLDER, WITH_TOKEN if TOKEN in destinations else PLAIN)
