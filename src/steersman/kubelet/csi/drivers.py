"""CSI drivers of this node that can be called, by name."""

from pathlib import Path

from steersman.csi.driver import Driver
from steersman.kubelet.volumes import host_path

ALIAS = host_path.KUBELET  # where drivers in containers believe the kubelet's folder to be


class Drivers:
    """`root` is the kubelet's own folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, tuple[Driver, bool]] = {}

    def get(self, name: str) -> Driver | None:
        found = self._known.get(name)
        return found[0] if found else None

    def path_for(self, name: str, path: Path) -> str:
        """How the driver knows a path below the kubelet's folder: those in containers by upstream's name for the folder."""
        _, aliased = self._known[name]
        return str(ALIAS / path.relative_to(self._root)) if aliased else str(path)

    def add(self, name: str, endpoint: str) -> Driver:
        aliased = Path(endpoint).is_relative_to(ALIAS) and self._root != ALIAS
        socket = self._root / Path(endpoint).relative_to(ALIAS) if aliased else Path(endpoint)
        made = Driver(name, socket)
        self._known[name] = (made, aliased)
        return made

    async def remove(self, name: str) -> None:
        found = self._known.pop(name, None)
        if found is not None:
            await found[0].close()

    def names(self) -> list[str]:
        return sorted(self._known)

    def sockets(self) -> dict[str, str]:
        return {name: str(found.socket) for name, (found, _) in sorted(self._known.items())}
