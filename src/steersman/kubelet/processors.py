"""Which processors containers may run on: with the policy "static", containers of guaranteed pods that ask for whole ones have
them for themselves, and everyone else shares what is left.

`Assignments` is pure; `Processors` keeps it on disk, so that a later kubelet goes on with it. Source: upstream's
kubelet/cm/cpumanager (policy static without options).
"""

import json
import math
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from steersman.kubelet import qos
from steersman.kubelet.options import Options
from steersman.meta import objects, quantities
from steersman.meta.objects import Object

FILE = "cpu_manager_state"  # upstream's, with upstream's content
MILLIS = 1000


class NotEnough(Exception):
    """The text is upstream's."""


class Assignments(NamedTuple):
    """`reserved` are for the system first: everyone shares them, nobody has them alone. `taken`: uid → container → processors."""

    everyone: frozenset[int]
    reserved: frozenset[int]
    taken: Mapping[str, Mapping[str, frozenset[int]]] = {}

    @property
    def shared(self) -> frozenset[int]:
        used = (cpus for containers in self.taken.values() for cpus in containers.values())
        return self.everyone.difference(*used)

    def allocate(self, pod: Object) -> "Assignments":
        """With what the pod may have for itself; init containers' processors are used again by those after them. Raises
        NotEnough."""
        uid, spec = objects.uid(pod), pod["spec"]
        if uid in self.taken or qos.pod_class(pod) != "Guaranteed":
            return self
        given: dict[str, frozenset[int]] = {}
        free, again = self.shared - self.reserved, frozenset[int]()
        for one, is_init in (
            *((one, one.get("restartPolicy") != "Always") for one in spec.get("initContainers") or []),
            *((one, False) for one in spec["containers"]),
        ):
            count = _whole(one)
            if not count:
                continue
            reused = sorted(again)[:count]
            fresh = sorted(free)[: count - len(reused)]
            if len(reused) + len(fresh) < count:
                available = len(again) + len(free)
                raise NotEnough(
                    f"not enough cpus available to satisfy request: requested={count}, available={available}"
                )
            given[one["name"]] = frozenset((*reused, *fresh))
            free -= given[one["name"]]
            again = again | given[one["name"]] if is_init else again - given[one["name"]]
        return self._replace(taken={**self.taken, uid: given}) if given else self

    def release(self, uid: str) -> "Assignments":
        return self._replace(taken={key: value for key, value in self.taken.items() if key != uid})


def _whole(container: Object) -> int:
    """How many processors it asks for, if these are whole ones."""
    found = container.get("resources") or {}
    text = (found.get("requests") or {}).get("cpu") or (found.get("limits") or {}).get("cpu") or "0"
    millis = int(quantities.millis(str(text)))
    return millis // MILLIS if millis % MILLIS == 0 else 0


class Processors:
    """Of one node; does nothing under the policy "none"."""

    def __init__(self, options: Options, cpus: Iterable[int]) -> None:
        self._file: Path = options.data_dir / FILE
        self.is_static = options.cpu_policy == "static"
        everyone = frozenset(cpus)
        asked = (one.get("cpu", "0") for one in (options.system_reserved, options.kube_reserved))
        count = math.ceil(sum(quantities.millis(text) for text in asked) / MILLIS) or 1
        self._now = Assignments(everyone, frozenset(sorted(everyone)[:count]))
        if self.is_static:
            self._now = self._now._replace(taken=self._read())

    def admit(self, pod: Object) -> bool:
        """Set aside what the pod may have for itself; whether that changed what is shared. Raises NotEnough."""
        return self.is_static and self._change(self._now.allocate(pod))

    def release(self, uid: str) -> bool:
        return self.is_static and self._change(self._now.release(uid))

    def keep_only(self, uids: Iterable[str]) -> None:
        """At start: pods that are gone have nothing any more."""
        for uid in self._now.taken.keys() - set(uids):
            self.release(uid)

    def is_exclusive(self, uid: str, container: str) -> bool:
        return container in self._now.taken.get(uid, {})

    def own(self, uid: str, container: str) -> frozenset[int]:
        """Those that nobody else has."""
        return self._now.taken.get(uid, {}).get(container, frozenset())

    def for_one(self) -> frozenset[int]:
        """Those that containers could have for themselves."""
        return self._now.everyone - self._now.reserved if self.is_static else frozenset()

    def cpus_of(self, uid: str, container: str) -> str:
        """As control groups have it; empty: wherever the kernel likes."""
        if not self.is_static:
            return ""
        return _text(self._now.taken.get(uid, {}).get(container, self._now.shared))

    def _change(self, new: Assignments) -> bool:
        if new == self._now:
            return False
        changed, self._now = new.shared != self._now.shared, new
        entries = {uid: {name: _text(cpus) for name, cpus in one.items()} for uid, one in new.taken.items()}
        state = {"policyName": "static", "defaultCpuSet": _text(new.shared), "entries": entries}
        checksum = zlib.crc32(json.dumps(state, sort_keys=True).encode())
        self._file.write_text(json.dumps({**state, "checksum": checksum}))
        return changed

    def _read(self) -> dict[str, dict[str, frozenset[int]]]:
        try:
            state = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        entries = state.get("entries") or {}
        return {uid: {name: parse(text) for name, text in one.items()} for uid, one in entries.items()}


def _text(cpus: Iterable[int]) -> str:
    """`0-2,5`"""
    parts: list[list[int]] = []
    for cpu in sorted(cpus):
        if parts and parts[-1][-1] == cpu - 1:
            parts[-1].append(cpu)
        else:
            parts.append([cpu])
    return ",".join(str(one[0]) if len(one) == 1 else f"{one[0]}-{one[-1]}" for one in parts)


def parse(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return frozenset(found)
