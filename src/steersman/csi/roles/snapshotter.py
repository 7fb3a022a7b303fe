"""Take snapshots of volumes, and delete them. Source: external-snapshotter, both its controller and its sidecar.

A VolumeSnapshot is what people ask for, its VolumeSnapshotContent what the driver has. The content is made with a name that only
this snapshot's can have, so it is made once; it goes before the snapshot does, if its policy says so.
"""

from collections.abc import Callable

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.client.cache import Caches
from steersman.csi.driver import Driver, DriverError
from steersman.csi.roles.parts import LaterError, Parts
from steersman.csi.snapshots import contents, definitions
from steersman.csi.snapshots.contents import RefusedError
from steersman.csi.snapshots.definitions import CLASS, CONTENT, SNAPSHOT
from steersman.csi.snapshots.following import Followed
from steersman.meta import objects, times
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

UNREADY_SECONDS = 1.0  # until a driver that is still at it is asked again
IN_USE_SECONDS = 5.0  # until a snapshot that a new volume is made from is looked at again

CLAIM = kinds.PERSISTENT_VOLUME_CLAIM


class Snapshotter:
    def __init__(self, parts: Parts, caches: Caches) -> None:
        self._parts = parts
        crds = caches.of(kinds.CUSTOM_RESOURCE_DEFINITION)
        self.snapshots, self.contents, self.classes = (
            Followed(caches, crds, kind) for kind in (SNAPSHOT, CONTENT, CLASS)
        )

    def start(self) -> list[Callable[[], None]]:
        """Returns what ends it."""
        return [one.start() for one in (self.snapshots, self.contents, self.classes)]

    async def define(self, about: Object) -> None:
        """The kinds are there as soon as a driver is that can take snapshots."""
        driver = self._parts.driver(objects.name(about))
        if driver is None or "CREATE_DELETE_SNAPSHOT" not in await driver.controller_can():
            return
        for definition in definitions.all_definitions():
            try:
                await self._parts.client.create(kinds.CUSTOM_RESOURCE_DEFINITION, definition)
            except StatusError as refused:
                if refused.reason != "AlreadyExists":
                    raise

    # --- what people ask for ---

    async def snapshot(self, snapshot: Object) -> None:
        """Raises DriverError, StatusError, Unreachable, LaterError."""
        content = self._content_of(snapshot)
        if objects.is_terminating(snapshot):
            await self._release(snapshot, content)
            return
        if content is not None:
            if self._parts.driver(content["spec"]["driver"]) is not None:
                await self._show(await self._protected(snapshot), content)
            return
        claim = self._claim_of(snapshot)
        volume = self._volume_of(claim)
        if self._parts.driver(_driver_of(volume)) is not None:
            await self._take(snapshot, claim, volume, _driver_of(volume))

    async def _take(self, snapshot: Object, claim: Object | None, volume: Object | None, driver: str) -> None:
        try:
            chosen = contents.class_for(snapshot, self.classes.list(), driver)
            wanted = contents.content_for(snapshot, chosen, claim, volume)
        except RefusedError as why:
            error = {"message": str(why), "time": times.format_seconds(self._parts.clock.now())}
            before = (snapshot.get("status") or {}).get("error") or {}
            if before.get("message") != str(why):
                await self._parts.patch(SNAPSHOT, snapshot, {"status": {"readyToUse": False, "error": error}}, "status")
                self._tell(snapshot, "Warning", why.reason, str(why))
            raise LaterError(IN_USE_SECONDS) from why
        snapshot = await self._protected(snapshot)
        if claim is not None:
            await self._protect(CLAIM, claim, contents.CLAIM_PROTECTION)
        try:
            await self._parts.client.create(CONTENT, wanted)
        except StatusError as refused:
            if refused.reason != "AlreadyExists":
                raise
        text = f"Waiting for a snapshot {objects.key(snapshot)} to be created by the CSI driver."
        self._tell(snapshot, "Normal", "CreatingSnapshot", text)

    async def _show(self, snapshot: Object, content: Object) -> None:
        """Tells what became of it."""
        if not content["spec"]["volumeSnapshotRef"].get("uid"):  # set aside for it, by its name
            reference = {**content["spec"]["volumeSnapshotRef"], "uid": objects.uid(snapshot)}
            await self._parts.patch(CONTENT, content, {"spec": {"volumeSnapshotRef": reference}})
        before = snapshot.get("status") or {}
        status = contents.status_of(snapshot, content)
        if {**status, "error": status["error"] or None} != {"error": None, **before}:
            await self._parts.patch(SNAPSHOT, snapshot, {"status": status}, "status")
            self._tell_progress(snapshot, before, status)
        if status["readyToUse"]:
            await self._unprotect_claim(snapshot)

    def _tell_progress(self, snapshot: Object, before: Object, status: Object) -> None:
        name = objects.key(snapshot)
        if status.get("error") and status["error"] != before.get("error"):
            self._tell(snapshot, "Warning", "SnapshotContentCreationFailed", str(status["error"].get("message", "")))
        if status.get("creationTime") and not before.get("creationTime"):
            text = f"Snapshot {name} was successfully created by the CSI driver."
            self._tell(snapshot, "Normal", "SnapshotCreated", text)
        if status["readyToUse"] and not before.get("readyToUse"):
            self._tell(snapshot, "Normal", "SnapshotReady", f"Snapshot {name} is ready to use.")

    async def _release(self, snapshot: Object, content: Object | None) -> None:
        """Its content goes first, or stays, as its policy says; a volume that is being made from it comes before both."""
        held = set(snapshot["metadata"].get("finalizers") or ()) & set(contents.PROTECTION)
        if not held:
            return
        space = objects.namespace(snapshot)
        claims = [one for one in self._parts.claims.list() if objects.namespace(one) == space]
        if contents.is_source(snapshot, claims):
            text = "Snapshot is being used to restore a PVC"
            self._tell(snapshot, "Warning", "SnapshotDeletePending", text)
            raise LaterError(IN_USE_SECONDS)
        if self._is_of_others(snapshot, content):
            return
        if content is not None and contents.BEING_DELETED not in objects.annotations(content):
            content = await self._parts.patch(
                CONTENT, content, {"metadata": {"annotations": {contents.BEING_DELETED: "yes"}}}
            )
        if content is not None and content["spec"]["deletionPolicy"] == "Delete":
            if not objects.is_terminating(content):
                await self._parts.client.delete(CONTENT, objects.name(content), uid=objects.uid(content))
            return  # looked at again when it is gone
        await self._unprotect_claim(snapshot)
        for finalizer in contents.PROTECTION:
            snapshot = await self._unprotect(SNAPSHOT, snapshot, finalizer)

    def _is_of_others(self, snapshot: Object, content: Object | None) -> bool:
        if content is not None:
            return self._parts.driver(content["spec"]["driver"]) is None
        name = _driver_of(self._volume_of(self._claim_of(snapshot)))
        return bool(name) and self._parts.driver(name) is None

    # --- what the driver has ---

    async def content(self, content: Object) -> None:
        """Raises DriverError, StatusError, Unreachable, LaterError."""
        driver = self._parts.driver(content["spec"]["driver"])
        if driver is None:
            return
        status = content.get("status") or {}
        if objects.is_terminating(content):
            await self._delete(content, driver)
        elif not status.get("readyToUse"):
            given = content["spec"]["source"].get("snapshotHandle")
            content = await self._protect(CONTENT, content, contents.CONTENT_PROTECTION)
            if given:
                await self._tell_content(content, {"snapshotHandle": given, "readyToUse": True, "error": None})
            else:
                await self._create(content, driver)

    async def _create(self, content: Object, driver: Driver) -> None:
        chosen = self.classes.get(content["spec"].get("volumeSnapshotClassName") or "")
        try:
            secrets = await self._parts.secrets(contents.deletion_secret(content))
            answer = await driver.call("Controller", "CreateSnapshot", **contents.request(content, chosen, secrets))
        except DriverError as failure:
            handle = content["spec"]["source"]["volumeHandle"]
            text = f'Failed to create snapshot: failed to take snapshot of the volume {handle}: "{failure}"'
            error = {"message": text, "time": times.format_seconds(self._parts.clock.now())}
            self._tell(content, "Warning", "SnapshotCreationFailed", text)
            await self._tell_content(content, {"readyToUse": False, "error": error})
            raise
        status = contents.taken(answer)
        await self._tell_content(content, status)
        if not status["readyToUse"]:
            raise LaterError(UNREADY_SECONDS)

    async def _delete(self, content: Object, driver: Driver) -> None:
        """Not while its snapshot is there: who deletes only the content gets nothing deleted."""
        said, reference = objects.annotations(content), content["spec"]["volumeSnapshotRef"]
        if contents.BEING_DELETED not in said and reference.get("uid"):
            return
        status = content.get("status") or {}
        handle = status.get("snapshotHandle") or content["spec"]["source"].get("snapshotHandle")
        if content["spec"]["deletionPolicy"] == "Delete" and handle:
            try:
                secrets = await self._parts.secrets(contents.deletion_secret(content))
                await driver.call("Controller", "DeleteSnapshot", snapshot_id=handle, secrets=secrets)
            except DriverError as failure:
                self._tell(content, "Warning", "SnapshotDeleteError", "Failed to delete snapshot")
                raise failure from None
        await self._unprotect(CONTENT, content, contents.CONTENT_PROTECTION)

    # --- reading and writing ---

    def _content_of(self, snapshot: Object) -> Object | None:
        name = snapshot["spec"]["source"].get("volumeSnapshotContentName") or contents.name_for(snapshot)
        found = self.contents.get(name)
        return found if found is not None and contents.is_for(found, snapshot) else None

    def _claim_of(self, snapshot: Object) -> Object | None:
        name = snapshot["spec"]["source"].get("persistentVolumeClaimName")
        return self._parts.claims.get(f"{objects.namespace(snapshot)}/{name}") if name else None

    def _volume_of(self, claim: Object | None) -> Object | None:
        return self._parts.volume_of(claim) if claim is not None else None

    async def _unprotect_claim(self, snapshot: Object) -> None:
        """Unless another snapshot of it is being taken."""
        claim = self._claim_of(snapshot)
        others = [
            one
            for one in self.snapshots.list()
            if objects.uid(one) != objects.uid(snapshot)
            and not (one.get("status") or {}).get("readyToUse")
            and not objects.is_terminating(one)
            and self._claim_of(one) is claim
        ]
        if claim is not None and not others:
            await self._unprotect(CLAIM, claim, contents.CLAIM_PROTECTION)

    async def _protected(self, snapshot: Object) -> Object:
        for finalizer in contents.PROTECTION:
            snapshot = await self._protect(SNAPSHOT, snapshot, finalizer)
        return snapshot

    async def _protect(self, kind: Kind, obj: Object, finalizer: str) -> Object:
        held = obj["metadata"].get("finalizers") or []
        if finalizer in held:
            return obj
        return await self._parts.patch(kind, obj, {"metadata": {"finalizers": [*held, finalizer]}})

    async def _unprotect(self, kind: Kind, obj: Object, finalizer: str) -> Object:
        held = obj["metadata"].get("finalizers") or []
        if finalizer not in held:
            return obj
        left = [one for one in held if one != finalizer]
        return await self._parts.patch(kind, obj, {"metadata": {"finalizers": left or None}})

    async def _tell_content(self, content: Object, status: Object) -> None:
        await self._parts.patch(CONTENT, content, {"status": status}, "status")

    def _tell(self, about: Object, type: str, reason: str, message: str) -> None:  # noqa: A002
        self._parts.recorder.event(about, type, reason, message)


def _driver_of(volume: Object | None) -> str:
    return str(((volume or {}).get("spec") or {}).get("csi", {}).get("driver", ""))
