"""AppArmor, where the machine has it: whether it has, which profiles are loaded, and the one of RuntimeDefault.

Source: upstream's kubelet (security/apparmor) and containerd (HostSupports: the module is on, and the program that loads
profiles is there).
"""

import logging
import os
import shutil
import subprocess

from steersman.containers import runtime

_log = logging.getLogger(__name__)

DEFAULT = "steersman-default"
_PARAMETER, _FOLDER, _PARSER = "module/apparmor/parameters/enabled", "kernel/security/apparmor", "apparmor_parser"

# What a container may do as root in its own file system and namespaces, and nothing that reaches the machine behind them; who is
# not confined, or runs containers, may end it.
PROFILE = f"""\
@{{PROC}}=/proc/

profile {DEFAULT} flags=(attach_disconnected,mediate_deleted) {{
  network,
  capability,
  file,
  umount,

  signal (receive) peer=unconfined,
  signal (receive) peer=crun,
  signal (receive) peer=runc,
  signal (send,receive) peer={DEFAULT},
  ptrace (trace,read,tracedby,readby) peer={DEFAULT},

  deny mount,
  deny @{{PROC}}/sysrq-trigger rwklx,
  deny @{{PROC}}/kcore rwklx,
  deny @{{PROC}}/sys/kernel/core_pattern wl,
  deny @{{PROC}}/sys/kernel/modprobe wl,
  deny @{{PROC}}/sys/fs/binfmt_misc/** wl,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,
  deny /sys/fs/bpf/** wl,
}}
"""


class NotUsable(ValueError):
    """The profile cannot be applied; the text is for the user."""


def is_enabled(sys: str = "/sys") -> bool:
    """Whether the kernel enforces profiles."""
    return os.path.exists(os.path.join(sys, _FOLDER)) and _read(os.path.join(sys, _PARAMETER)).startswith("Y")


def prepare(*, is_rootless: bool) -> bool:
    """Whether containers can have profiles; RuntimeDefault's is loaded then. Why not is logged where the kernel could."""
    if is_rootless or not is_enabled():
        return False
    why = _load_default()
    if why:
        _log.warning("containers run without AppArmor: %s", why)
    return not why


def _load_default() -> str:
    """Why it could not be; empty when it was."""
    parser = shutil.which(_PARSER) or shutil.which(_PARSER, path="/usr/sbin:/sbin")
    if parser is None:
        return f"{_PARSER} is not installed"
    done = subprocess.run([parser, "-Kr"], input=PROFILE, capture_output=True, text=True, check=False)
    return f"{_PARSER}: {done.stderr.strip()}" if done.returncode else ""


def profile(security: runtime.Security, *, is_usable: bool, sys: str = "/sys") -> str:
    """What a container runs under; empty: under none. `is_usable`: the machine can, and has the default one loaded. Raises
    NotUsable."""
    kind, _, name = security.app_armor.partition("/")
    if kind == "Unconfined":
        return ""
    if not is_usable:
        if kind:
            raise NotUsable("apparmor is not supported")
        return ""
    if kind == "Localhost":
        if name not in loaded(sys):
            raise NotUsable(f"apparmor profile not found {name}")
        return name
    return "" if security.privileged else DEFAULT


def loaded(sys: str = "/sys") -> set[str]:
    """The kernel lists them as `NAME (MODE)`."""
    return {line.rpartition(" (")[0] for line in _read(os.path.join(sys, _FOLDER, "profiles")).splitlines()}


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
