"""The shell of one pod's volumes and claims: mounted and prepared before its containers, kept fresh, cleared away after them."""

import asyncio
import contextlib

from steersman.kubelet import instructions, pod_events
from steersman.kubelet.dra.claims import PrepareError
from steersman.kubelet.pod_shell import RETRY_FIRST_SECONDS, RETRY_MOST_SECONDS, PodShell
from steersman.kubelet.pod_state import Volumes
from steersman.kubelet.volumes.volume import MountError


class PodVolumes:
    def __init__(self, shell: PodShell) -> None:
        self._shell = shell
        self._lock = asyncio.Lock()
        self._stirred = asyncio.Event()

    def mount_volumes(self, _: instructions.MountVolumes) -> None:
        spec = self._shell.pod["spec"]
        if self._shell.node.options.on_paper or not (spec.get("volumes") or spec.get("resourceClaims")):
            self._shell.start("volumes", self._shell.say(pod_events.VolumesMounted()))
        else:
            self._shell.start("volumes", self._mount())

    async def _mount(self) -> None:
        pause = RETRY_FIRST_SECONDS
        await self._shell.turn()
        while True:
            try:
                async with self._lock:
                    if self._shell.machine.is_ending:
                        return
                    await self._shell.node.claims.prepare(self._shell.pod)
                    await self._shell.node.volumes.mount(self._shell.pod)
            except MountError as failure:
                self._shell.tell(pod_events.VolumesFailed(str(failure)))
            except PrepareError as failure:
                text = f"Failed to prepare dynamic resources: {failure}"
                self._shell.node.tell(self._shell.pod, "Warning", "FailedPrepareDynamicResources", text)
            else:
                self._shell.node.watches.hold(self._shell.uid, self._shell.pod, self.refresh_now)
                self._shell.tell(pod_events.VolumesMounted())
                self._refresh_later()
                return
            await self._pause(pause)
            pause = min(pause * 2, RETRY_MOST_SECONDS)

    async def _pause(self, seconds: float) -> None:
        """Until it is time to try again, or what was missing has come."""
        self._stirred.clear()
        with contextlib.suppress(TimeoutError):
            async with self._shell.node.clock.timeout(seconds):
                await self._stirred.wait()

    def _refresh_later(self) -> None:
        if self._shell.node.volumes.has_refreshed(self._shell.pod) and not self._shell.machine.is_ending:
            seconds = self._shell.node.clock.jitter(self._shell.node.volumes.refresh_seconds(self._shell.pod), 0.5)
            self._shell.node.alarms.set(
                ("volumes", self._shell.uid), seconds, lambda: self._shell.start("refresh", self._refresh())
            )

    def refresh_now(self) -> None:
        """Something that the volumes show, or wait for, has changed; several changes at once are one."""
        self._stirred.set()
        if self._shell.machine.volumes is Volumes.MOUNTED and self._shell.node.volumes.has_refreshed(self._shell.pod):
            self._shell.node.alarms.set(
                ("volumes", self._shell.uid), 0.0, lambda: self._shell.start("refresh", self._refresh())
            )

    async def _refresh(self) -> None:
        try:
            async with self._lock:
                if self._shell.machine.is_ending:
                    return
                await self._shell.node.volumes.refresh(self._shell.pod)
        except MountError as failure:
            self._shell.node.tell(self._shell.pod, "Warning", "FailedMount", str(failure))
        self._refresh_later()

    def unmount_volumes(self, _: instructions.UnmountVolumes) -> None:
        self._shell.node.alarms.cancel(("volumes", self._shell.uid))
        self._shell.node.watches.release(self._shell.uid)
        self._shell.start("unmount", self._unmount())

    async def _unmount(self) -> None:
        if not self._shell.node.options.on_paper:
            async with self._lock:  # what is being mounted would come back
                await self._shell.until_done(
                    "unmounting volumes", lambda: self._shell.node.volumes.unmount(self._shell.uid)
                )
            await self._shell.until_done(
                "giving devices back", lambda: self._shell.node.claims.unprepare(self._shell.uid)
            )
            self._shell.node.users.release(self._shell.uid)
        self._shell.tell(pod_events.VolumesUnmounted())
