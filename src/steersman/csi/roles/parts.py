"""What every role needs: the API, drivers by name and node, what caches say, secrets."""

import json
from pathlib import Path

from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.client.cache import Caches
from steersman.client.client import Client
from steersman.client.events import Recorder
from steersman.csi import driver as csi
from steersman.csi import making
from steersman.csi.driver import Driver
from steersman.meta import objects
from steersman.meta.objects import Object


class LaterError(Exception):
    """Nothing to be done for now, though nothing has failed; look again in so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"in {seconds} s")
        self.seconds = seconds


class Parts:
    def __init__(self, client: Client, caches: Caches, clock: Clock, recorder: Recorder) -> None:
        self.client = client
        self.clock = clock
        self.recorder = recorder
        self.claims = caches.of(kinds.PERSISTENT_VOLUME_CLAIM)
        self.volumes = caches.of(kinds.PERSISTENT_VOLUME)
        self.classes = caches.of(kinds.STORAGE_CLASS)
        self.attributes_classes = caches.of(kinds.VOLUME_ATTRIBUTES_CLASS)
        self.attachments = caches.of(kinds.VOLUME_ATTACHMENT)
        self.drivers = caches.of(kinds.CSI_DRIVER)
        self.csi_nodes = caches.of(kinds.CSI_NODE)
        self._nodes = caches.of(kinds.NODE)
        self._connected: dict[Path, Driver] = {}

    async def close(self) -> None:
        for driver in self._connected.values():
            await driver.close()

    def driver(self, name: str, node: str = "") -> Driver | None:
        """The one at the socket of `node`, or of any node whose socket this process can see; None if it does not ask for us."""
        about = self.drivers.get(name) if name else None
        if about is None or objects.annotations(about).get(csi.BUILT_IN) != "built-in":
            return None
        names = [node] if node else sorted(objects.name(one) for one in self.csi_nodes.list())
        for one in names:
            found = self._nodes.get(one) if self._entry(name, one) or node else None
            sockets = json.loads(objects.annotations(found).get(csi.ENDPOINTS, "{}")) if found is not None else {}
            path = Path(sockets.get(name, ""))
            if name in sockets and path.is_socket():
                return self._connected.setdefault(path, Driver(name, path))
        return None

    def node_id(self, driver: str, node: str) -> str:
        return str(self._entry(driver, node).get("nodeID", ""))

    def segments(self, driver: str, node: str) -> dict[str, str]:
        """Where the node is, as the driver divides the world."""
        found = self._nodes.get(node)
        labels = objects.labels(found) if found is not None else {}
        keys = self._entry(driver, node).get("topologyKeys") or ()
        return {key: labels[key] for key in keys if key in labels}

    def volume_of(self, claim: Object) -> Object | None:
        return self.volumes.get(claim["spec"].get("volumeName") or "")

    def bound_volume_of(self, claim: Object) -> Object | None:
        """Only when the claim says that it is bound: before, it does not say how large it is either."""
        return self.volume_of(claim) if (claim.get("status") or {}).get("phase") == "Bound" else None

    def volume_name_of(self, attachment: Object) -> str:
        return str((attachment["spec"].get("source") or {}).get("persistentVolumeName", ""))

    async def secrets(self, reference: Object | None) -> dict[str, str]:
        if not reference:
            return {}
        found = await self.client.get(kinds.SECRET, reference["name"], reference["namespace"])
        return making.decoded(found)

    async def patch(self, kind: Kind, obj: Object, body: Object, subresource: str = "") -> Object:
        """Of this state of the object: refused when it has changed since."""
        meta = {**(body.get("metadata") or {}), "resourceVersion": objects.resource_version(obj)}
        body = {**body, "metadata": meta}
        return await self.client.patch(kind, objects.name(obj), objects.namespace(obj), body, subresource=subresource)

    def _entry(self, driver: str, node: str) -> Object:
        found = self.csi_nodes.get(node)
        listed = ((found or {}).get("spec") or {}).get("drivers") or ()
        return next((one for one in listed if one["name"] == driver), {})
