"""The images of a CRI runtime (ImageService)."""

from collections.abc import Sequence

from steersman.containers import runtime
from steersman.containers.cri import translate
from steersman.containers.images import references
from steersman.containers.runtime import RuntimeFailure
from steersman.serving.protobuf import Message
from steersman.serving.remote_calls import CallFailed, Peer

SERVICE = "ImageService"
CALL_SECONDS = 120.0  # upstream's runtimeRequestTimeout; pulls have no limit of their own


class CriImages:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def pull(self, reference: str, login: runtime.RegistryLogin | None = None) -> str:
        request: Message = {"image": {"image": normalise(reference)}}
        if login is not None:
            request["auth"] = {"username": login.username, "password": login.password}
        try:
            return str((await self._peer.call(SERVICE, "PullImage", request, None)).get("image_ref", ""))
        except CallFailed as failed:
            known = ("RegistryUnavailable", "SignatureValidationFailed")
            reason = next((word for word in known if failed.message.startswith(word)), "ErrImagePull")
            raise RuntimeFailure(reason, f"rpc error: code = {failed.code.title()} desc = {failed.message}") from failed

    async def status(self, reference: str) -> runtime.ImageStatus | None:
        wanted = {"image": {"image": reference if references.is_id(reference) else normalise(reference)}}
        found = (await self._call("ImageStatus", wanted)).get("image")
        return translate.image_status(found) if found else None

    async def list(self) -> Sequence[runtime.ImageStatus]:
        return [translate.image_status(one) for one in (await self._call("ListImages", {})).get("images", [])]

    async def remove(self, reference: str) -> None:
        if (found := await self.status(reference)) is not None:
            await self._call("RemoveImage", {"image": {"image": found.id}})

    async def file_systems(self) -> runtime.FileSystems:
        """A runtime that does not tell where containers write has them where images are."""
        found = await self._call("ImageFsInfo", {})
        [images, containers] = (
            next(
                (str(one["fs_id"]["mountpoint"]) for one in found.get(f"{kind}_filesystems", []) if "fs_id" in one), ""
            )
            for kind in ("image", "container")
        )
        return runtime.FileSystems(images, containers or images)

    async def _call(self, method: str, request: Message) -> Message:
        try:
            return await self._peer.call(SERVICE, method, request, CALL_SECONDS)
        except CallFailed as failed:
            raise RuntimeFailure("ImageInspectError", failed.message) from failed


def normalise(reference: str) -> str:
    """Raises RuntimeFailure (InvalidImageName)."""
    try:
        return references.normalise(reference)
    except references.InvalidReference as wrong:
        message = f'couldn\'t parse image name "{reference}": {wrong}'
        raise RuntimeFailure("InvalidImageName", message, temporary=False) from wrong
