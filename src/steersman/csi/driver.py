"""One driver at its socket: calls with upstream's deadlines and words, and what it can do."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from steersman.csi import sockets
from steersman.serving import protobuf

if TYPE_CHECKING:
    from steersman.serving.remote_calls import Peer

SCHEMA = Path(__file__).with_name("csi.proto")
CALL_SECONDS = 120.0  # upstream's csiTimeout
BUILT_IN = "storage.steersman.dev/controller"  # annotation of a CSIDriver: `built-in` asks for `roles`
ENDPOINTS = "storage.steersman.dev/csi-endpoints"  # annotation of a Node: its drivers' sockets, as JSON

# After these nobody knows whether what was asked for happened, or will.
UNCERTAIN = frozenset(("CANCELLED", "DEADLINE_EXCEEDED", "UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED"))

# gRPC's words where Go's are not theirs in title case.
_GO_CODES = {"CANCELLED": "Canceled", "DATA_LOSS": "DataLoss"}


class DriverError(OSError):
    """It refused, or cannot be reached; the text is what upstream would say. `code` as NOT_FOUND."""

    def __init__(self, code: str, message: str) -> None:
        named = _GO_CODES.get(code) or "".join(part.title() for part in code.split("_"))
        super().__init__(f"rpc error: code = {named} desc = {message}")
        self.code = code


class Driver:
    """`socket`: the path on this machine. The connection is made with the first call."""

    def __init__(self, name: str, socket: Path) -> None:
        self.name = name
        self.socket = socket
        self._peer: Peer | None = None
        self._address: sockets.Address | None = None
        self._can: dict[str, frozenset[str]] = {}

    async def call(self, service: str, method: str, **request: Any) -> protobuf.Message:
        """Raises DriverError."""
        from steersman.serving import remote_calls

        try:
            if self._peer is None:
                self._address = sockets.Address(self.socket)
                self._peer = remote_calls.Peer(self._address.text, protobuf.load(SCHEMA))
            return await self._peer.call(service, method, request, CALL_SECONDS)
        except remote_calls.CallFailed as failed:
            raise DriverError(failed.code, failed.message) from failed
        except TimeoutError as late:
            raise DriverError("DEADLINE_EXCEEDED", "context deadline exceeded") from late
        except FileNotFoundError as missing:
            raise DriverError("UNAVAILABLE", str(missing)) from missing

    async def close(self) -> None:
        if self._peer is not None:
            await self._peer.close()
            self._peer = None
        if self._address is not None:
            self._address.close()

    async def node_can(self) -> frozenset[str]:
        """As STAGE_UNSTAGE_VOLUME. Raises DriverError."""
        return await self._capabilities("Node", "NodeGetCapabilities")

    async def controller_can(self) -> frozenset[str]:
        """As CREATE_DELETE_VOLUME. Raises DriverError."""
        return await self._capabilities("Controller", "ControllerGetCapabilities")

    async def _capabilities(self, service: str, method: str) -> frozenset[str]:
        if method not in self._can:
            answer = await self.call(service, method)
            types = ((one.get("rpc") or {}).get("type", "") for one in answer.get("capabilities", []))
            self._can[method] = frozenset(types)
        return self._can[method]


def capability(
    access_modes: list[str], volume_mode: str, fs_type: str, flags: list[str], group: str = "", *, splits: bool = False
) -> protobuf.Message:
    """How a volume is to be used. `splits`: the driver tells one pod's volumes from one node's (SINGLE_NODE_MULTI_WRITER)."""
    mode = "SINGLE_NODE_WRITER"
    if "ReadWriteMany" in access_modes:
        mode = "MULTI_NODE_MULTI_WRITER"
    elif "ReadOnlyMany" in access_modes and "ReadWriteOnce" not in access_modes:
        mode = "MULTI_NODE_READER_ONLY"
    elif splits:
        mode = "SINGLE_NODE_SINGLE_WRITER" if "ReadWriteOncePod" in access_modes else "SINGLE_NODE_MULTI_WRITER"
    found: protobuf.Message = {"access_mode": {"mode": mode}}
    if volume_mode == "Block":
        return {**found, "block": {}}
    return {**found, "mount": {"fs_type": fs_type, "mount_flags": flags, "volume_mount_group": group}}
