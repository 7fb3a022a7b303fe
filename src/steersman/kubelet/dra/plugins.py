"""Drivers of devices that have made themselves known on this node: one call each way, at their socket."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from steersman.csi import sockets
from steersman.kubelet.dra.health import NOTHING, Health, Told
from steersman.serving import protobuf

SCHEMA = Path(__file__).with_name("dra.proto")
CALL_SECONDS = 45.0  # upstream's
SERVICE = "v1.DRAPlugin"  # how a driver says which words it understands


class PluginError(OSError):
    """It refused, or cannot be reached."""


class Plugins:
    """By driver name. Without `health` nobody asks how their devices are."""

    def __init__(self, health: Health | None = None) -> None:
        self._sockets: dict[str, Path] = {}
        self._health = health

    def add(self, name: str, socket: Path, versions: Sequence[str]) -> None:
        """Raises PluginError for a driver that does not speak this version."""
        if SERVICE not in versions:
            raise PluginError(f"none of the versions {list(versions)} of driver {name} are supported: {SERVICE} is")
        self._sockets[name] = socket
        if self._health is not None:
            self._health.follow(name, socket, versions)

    def remove(self, name: str) -> None:
        self._sockets.pop(name, None)
        if self._health is not None:
            self._health.forget(name)

    def health_of(self, driver: str, pool: str, device: str) -> Told:
        return self._health.of(driver, pool, device) if self._health is not None else NOTHING

    async def call(self, driver: str, method: str, claim: Mapping[str, str]) -> protobuf.Message:
        """What the driver says of this one claim. Raises PluginError."""
        from steersman.serving import remote_calls

        socket = self._sockets.get(driver)
        if socket is None:
            raise PluginError(f"DRA driver {driver} is not registered")
        try:
            address = sockets.Address(socket)
        except FileNotFoundError as missing:
            raise PluginError(f"DRA driver {driver}: {missing}") from missing
        peer = remote_calls.Peer(address.text, protobuf.load(SCHEMA))
        try:
            answer = await peer.call("DRAPlugin", method, {"claims": [claim]}, CALL_SECONDS)
        except (remote_calls.CallFailed, TimeoutError) as failed:
            raise PluginError(f"DRA driver {driver}: {failed}") from failed
        finally:
            await peer.close()
            address.close()
        told = answer.get("claims", {}).get(claim["uid"])
        if told is None:
            raise PluginError(f"DRA driver {driver} says nothing of claim {claim['name']}")
        if told.get("error"):
            raise PluginError(f"DRA driver {driver}: {told['error']}")
        return dict(told)
