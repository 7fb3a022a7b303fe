"""What this machine offers for running containers, and in one sentence what it lacks."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys

from steersman.cluster.options import Options
from steersman.containers.cri.containerd import CNI_FOLDERS
from steersman.network import libnftables

DEBIAN_PACKAGES = ("crun", "nftables", "busybox-static")


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    linux: bool
    root: bool
    user_namespaces: bool
    container_tool: str  # path of crun or runc, "" without
    nftables: bool
    ipv6: bool = True
    containerd: bool = True
    cni: bool = True


def look() -> Machine:
    linux = sys.platform == "linux"
    root = os.geteuid() == 0
    return Machine(
        linux=linux,
        root=root,
        user_namespaces=linux and (root or _user_namespaces_work()),
        container_tool=shutil.which("crun") or shutil.which("runc") or "",
        nftables=libnftables.is_available(),
        ipv6=_has_ipv6(),
        containerd=bool(shutil.which("containerd") and shutil.which("ctr")),
        cni=any(pathlib.Path(folder, "ptp").exists() for folder in CNI_FOLDERS),
    )


def missing(machine: Machine, options: Options) -> str:
    """Why real nodes cannot run here, as a sentence that says what to do; "" when they can or none are wanted."""
    if options.is_open() and not (machine.linux and machine.root):
        return (
            "Other machines can join only a cluster that root started: without root it is in a network of its own "
            "(leave out --listen)."
        )
    if options.is_open() and not machine.nftables:
        return "A cluster of several machines needs the Debian package nftables (apt-get install nftables)."
    if options.is_open() and "IPv6" in options.families:
        return "Other machines can join only a cluster of IPv4: leave out --listen or --ip-families."
    if not options.has_real_nodes():
        return ""
    if not machine.linux:
        return "Real containers need Linux; `--nodes 0 --fake-nodes 3` runs a cluster without them anywhere."
    lacking = []
    if not machine.container_tool:
        lacking.append("crun")
    if not machine.nftables and options.nodes > 1:
        lacking.append("nftables")
    if options.runtime == "cri":
        lacking += [
            package
            for package, found in (("containerd", machine.containerd), ("containernetworking-plugins", machine.cni))
            if not found
        ]
    if lacking:
        packages = " ".join(lacking)
        return (
            f"Real containers need the Debian package{'s' * (len(lacking) > 1)} {packages} "
            f"(as root: apt-get install {packages}); `--nodes 0 --fake-nodes 3` runs a cluster without them."
        )
    if "IPv6" in options.families and not machine.ipv6:
        return "IPv6 is switched off on this machine (net.ipv6.conf.all.disable_ipv6); without it, leave out --ip-families."
    if not machine.user_namespaces:
        return (
            "This machine forbids user namespaces to ordinary users, so real containers need root here; "
            "`--nodes 0 --fake-nodes 3` runs a cluster without them."
        )
    return ""


def note(machine: Machine, options: Options) -> str:
    """What works less well here, as a sentence; "" when all is well."""
    if machine.nftables or not options.has_real_nodes():
        return ""
    return (
        "Without nftables, Services are carried by a process, pods reach nothing outside the cluster, and host ports and "
        "NetworkPolicies do nothing (as root: apt-get install nftables)."
    )


def _has_ipv6() -> bool:
    try:
        return pathlib.Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").read_text().strip() == "0"
    except OSError:
        return False


def _user_namespaces_work() -> bool:
    """Asks the kernel by trying: there are four different switches that can forbid it."""
    tried = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x10000000) != 0)"],
        check=False,
        stderr=subprocess.DEVNULL,
    )
    return tried.returncode == 0
