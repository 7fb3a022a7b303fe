"""Container Device Interface: names of devices (`vendor.com/class=name`) as changes of a container's configuration.

Reads: the specifications that vendors and drivers leave in `/etc/cdi` and `/var/run/cdi` (the later folder wins).
Source: the CDI specification 0.8: containerEdits of a specification apply once for any of its devices, before the device's own.
"""

import json
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

FOLDERS = (Path("/etc/cdi"), Path("/var/run/cdi"))


class UnknownDevice(ValueError):
    """The text is for the user."""


def apply(names: Sequence[str], config: dict[str, Any], folders: Iterable[Path] = FOLDERS) -> None:
    """Changes an OCI configuration in place. Raises UnknownDevice, and names all that are unknown."""
    if not names:
        return
    known = dict(_devices(folders))
    missing = [name for name in names if name not in known]
    if missing:
        raise UnknownDevice(f"unresolvable CDI devices {', '.join(missing)}")
    seen: set[int] = set()
    for name in names:
        spec, device = known[name]
        if id(spec) not in seen:
            seen.add(id(spec))
            _edit(config, spec.get("containerEdits") or {})
        _edit(config, device.get("containerEdits") or {})


def _devices(folders: Iterable[Path]) -> Iterator[tuple[str, tuple[dict[str, Any], dict[str, Any]]]]:
    for folder in folders:
        for path in sorted(folder.glob("*")):
            if path.suffix not in (".json", ".yaml", ".yml"):
                continue
            try:
                text = path.read_text()
                spec = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
                found = [(f"{spec['kind']}={one['name']}", (spec, one)) for one in spec["devices"]]
            except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
                continue  # somebody else's broken file keeps no container from starting
            yield from found


def _edit(config: dict[str, Any], edits: dict[str, Any]) -> None:
    config["process"]["env"] = [*config["process"].get("env", ()), *(edits.get("env") or ())]
    linux = config.setdefault("linux", {})
    for node in edits.get("deviceNodes") or ():
        made = _node(node)
        linux.setdefault("devices", []).append(made)
        allowed = linux.setdefault("resources", {}).setdefault("devices", [])
        numbers = {"type": made["type"], "major": made["major"], "minor": made["minor"]}
        allowed.append({"allow": True, **numbers, "access": node.get("permissions") or "rwm"})
    for mount in edits.get("mounts") or ():
        made = {"destination": mount["containerPath"], "source": mount["hostPath"], "type": mount.get("type") or "bind"}
        config.setdefault("mounts", []).append({**made, "options": mount.get("options") or ["rbind", "ro"]})
    for hook in edits.get("hooks") or ():
        made = {key: hook[key] for key in ("path", "args", "env", "timeout") if key in hook}
        config.setdefault("hooks", {}).setdefault(hook["hookName"], []).append(made)


def _node(node: dict[str, Any]) -> dict[str, Any]:
    """A device node as the OCI wants it; what is not said is read from the host's."""
    made = {"path": node["path"], "type": node.get("type"), "major": node.get("major"), "minor": node.get("minor")}
    if made["type"] is None or made["major"] is None:
        found = os.stat(node.get("hostPath") or node["path"])
        made["type"] = "b" if stat.S_ISBLK(found.st_mode) else "c"
        made["major"], made["minor"] = os.major(found.st_rdev), os.minor(found.st_rdev)
    return made | {key: node[key] for key in ("fileMode", "uid", "gid") if key in node}
