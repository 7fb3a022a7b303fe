"""How containers get root filesystems of their own from layers: by the kernel's overlayfs, by fuse-overlayfs, or by a copy.

overlayfs is refused by some file systems below (another overlay, as in a container; NFS) and in some user namespaces; then the
next that works here is taken, and the reason is logged. A choice that was forced is kept to, or refused.
"""

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable

from steersman.containers import syscalls
from steersman.containers.oci import shim_mounts

_log = logging.getLogger(__name__)

AUTO = "auto"
OVERLAY, FUSE, COPY = "overlayfs", "fuse-overlayfs", "copy"
KINDS = (AUTO, OVERLAY, FUSE, COPY)


class Unusable(RuntimeError):
    """What was asked for does not work on this machine; the text says why."""


def choose(wanted: str, folder: str, *, is_rootless: bool) -> str:
    """The kind to be used for containers whose changes lie in `folder`. Raises Unusable."""
    refused: dict[str, str] = {}
    for kind in KINDS[1:] if wanted == AUTO else (wanted,):
        why = _why_not(kind, folder, is_rootless)
        if not why:
            if refused:
                text = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
                _log.warning("root filesystems are made by %s, which is slower, as others cannot: %s", kind, text)
            return kind
        refused[kind] = why
    raise Unusable(f"no root filesystems by {wanted}: {refused[wanted]}")


def fuse_program() -> str:
    """Its path; "" where it is not installed."""
    return shutil.which("fuse-overlayfs") or ""


def _why_not(kind: str, folder: str, is_rootless: bool) -> str:
    if kind == COPY:
        return ""
    if kind == FUSE and not fuse_program():
        return "fuse-overlayfs is not installed"
    if kind == FUSE and not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse cannot be used"
    mount: Callable[..., None] = shim_mounts.mount_fuse if kind == FUSE else shim_mounts.mount_overlay
    probe = tempfile.mkdtemp(prefix="probe-", dir=folder)
    try:
        lower, upper, work, target = (os.path.join(probe, name) for name in ("lower", "upper", "work", "target"))
        for path in (lower, upper, work, target):
            os.mkdir(path)
        launch = {"upper": upper, "work": work, "userxattr": is_rootless, "fuse": fuse_program()}
        mount([lower], target, launch)
        syscalls.unmount(target)
    except OSError as refusal:
        return refusal.strerror or str(refusal)
    finally:
        with contextlib.suppress(OSError):  # without root the work folder of an overlay may not be ours to read
            shutil.rmtree(probe)
    return ""
