"""Measures of this moment for `/metrics`, under upstream's names: open watches, stored objects, the process itself."""

import os
import pathlib
import resource
from collections.abc import Callable, Sequence

from steersman.api.kind import Kind
from steersman.apiserver import health, keys
from steersman.apiserver.metrics import Gauge
from steersman.store import contract

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STATM, _FDS = pathlib.Path("/proc/self/statm"), pathlib.Path("/proc/self/fd")


class Gauges:
    """`started_seconds` is of the epoch."""

    def __init__(self, store: contract.Store, watches: Callable[[], int], started_seconds: float) -> None:
        self._store = store
        self._watches = watches
        self._started_seconds = started_seconds

    def of_process(self, release: str) -> list[Gauge]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        version = health.version(release, "")
        build = ",".join(f'{label}="{version[field]}"' for label, field in _BUILD.items())
        found = [
            Gauge("apiserver_longrunning_requests", self._watches(), 'component="apiserver",verb="WATCH"'),
            Gauge("kubernetes_build_info", 1, build),
            Gauge("process_cpu_seconds_total", round(used.ru_utime + used.ru_stime, 3), type="counter"),
            Gauge("process_start_time_seconds", round(self._started_seconds, 2)),
        ]
        if _STATM.exists():
            found.append(Gauge("process_resident_memory_bytes", int(_STATM.read_text().split()[1]) * _PAGE_BYTES))
            found.append(Gauge("process_open_fds", sum(1 for _ in _FDS.iterdir())))
        return found

    async def of_store(self, kinds: Sequence[Kind]) -> list[Gauge]:
        """How many objects there are of each resource, whatever versions it has."""
        found = [Gauge("etcd_revision", self._store.revision)]
        counted: dict[tuple[str, str], int] = {}
        for kind in kinds:
            place = (kind.group, kind.plural)
            if "watch" in kind.verbs and kind.storage is None and place not in counted:
                page = await self._store.list(keys.prefix(kind), limit=1)
                counted[place] = len(page.entries) + page.remaining
        for (group, plural), count in sorted(counted.items()):
            full = f"{plural}.{group}" if group else plural
            found.append(Gauge("apiserver_storage_objects", count, f'resource="{full}"'))
        for (group, plural), count in sorted(counted.items()):
            found.append(Gauge("apiserver_resource_objects", count, f'group="{group}",resource="{plural}"'))
        return found


_BUILD = {
    "git_version": "gitVersion",
    "major": "major",
    "minor": "minor",
    "platform": "platform",
    "compiler": "compiler",
    "go_version": "goVersion",
}
