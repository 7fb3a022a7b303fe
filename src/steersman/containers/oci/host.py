"""What this machine lets a runtime do, asked once at start."""

import dataclasses
import os
import resource
import shutil

from steersman.containers.oci import cgroups

CAP_SYS_RESOURCE = 24
RUNTIMES = ("crun", "runc")


class NoRuntime(RuntimeError):
    """Neither crun nor runc is installed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """`is_rootless`: no cgroups, and overlayfs marks what is deleted in user extended attributes. `uid_ranges`: ids
    that exist here. `snapshotter`: how root filesystems are made (`snapshots`)."""

    runtime: str
    hierarchy: cgroups.Hierarchy
    is_rootless: bool
    own_oom_score_adjust: int
    may_raise_limits: bool
    open_files_max: int
    capabilities: int = (1 << 64) - 1  # the node's own, as bits
    uid_ranges: tuple[tuple[int, int], ...] = ((0, 1 << 32),)
    snapshotter: str = "overlayfs"
    app_armor: bool = False  # there, with the profile of RuntimeDefault loaded

    @property
    def is_crun(self) -> bool:
        return os.path.basename(self.runtime).startswith("crun")

    @property
    def handler(self) -> str:
        """The name by which a RuntimeClass may ask for it."""
        return "crun" if self.is_crun else "runc"

    def has_uid(self, uid: int) -> bool:
        return any(first <= uid < first + count for first, count in self.uid_ranges)


def observe(cgroup_root: str, runtime: str = "") -> Facts:
    path = runtime or next(filter(None, map(shutil.which, RUNTIMES)), None)
    if not path:
        raise NoRuntime("neither crun nor runc is installed")
    hierarchy = cgroups.detect(_read("/proc/self/mountinfo"))
    ranges = tuple(_ranges(_read("/proc/self/uid_map")))
    in_user_namespace = sum(count for _, count in ranges) < (1 << 32) - 1
    capabilities = own_capabilities()
    is_rootless = in_user_namespace or os.geteuid() != 0 or not cgroups.is_writable(hierarchy, cgroup_root)
    return Facts(
        runtime=path,
        hierarchy=cgroups.NONE if is_rootless else hierarchy,
        is_rootless=is_rootless,
        own_oom_score_adjust=int(_read("/proc/self/oom_score_adj")),
        may_raise_limits=bool(capabilities >> CAP_SYS_RESOURCE & 1) and not in_user_namespace,
        open_files_max=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        capabilities=capabilities,
        uid_ranges=ranges,
    )


def _ranges(uid_map: str) -> list[tuple[int, int]]:
    return [(int(inside), int(count)) for inside, _, count in (line.split() for line in uid_map.splitlines())]


def own_capabilities() -> int:
    for line in _read("/proc/self/status").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()
