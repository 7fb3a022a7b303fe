"""Images on paper: every pull succeeds at once, except those that a test refuses.

Images below `missing.fake.steersman.dev/` do not exist; those below `localhost/` are always present.
"""

import hashlib
from collections.abc import Sequence

from steersman.containers import runtime
from steersman.containers.images import references

MISSING_DOMAIN = "missing.fake.steersman.dev"
IMAGE_SIZE_BYTES = 5_000_000  # some size: images on paper take no space


class FakeImages:
    def __init__(self) -> None:
        self._present: dict[str, runtime.ImageStatus] = {}
        self._refused: dict[str, runtime.RuntimeFailure] = {}

    def all(self) -> Sequence[runtime.ImageStatus]:
        return tuple(self._present.values())

    def add(self, image: runtime.ImageStatus) -> None:
        """As if it had been pulled."""
        for name in image.tags or image.digests:
            self._present[name] = image

    def refuse(self, reference: str, failure: runtime.RuntimeFailure) -> None:
        """From now on pulling `reference` fails so."""
        self._refused[references.normalise(reference)] = failure

    def allow(self, reference: str) -> None:
        self._refused.pop(references.normalise(reference), None)

    async def pull(self, reference: str, login: runtime.RegistryLogin | None = None) -> str:
        wanted = _parse(reference)
        if failure := self._refused.get(str(wanted)):
            raise failure
        if wanted.domain == MISSING_DOMAIN:
            raise runtime.RuntimeFailure("ErrImagePull", f"{wanted}: not found")
        return self._add(wanted).id

    async def status(self, reference: str) -> runtime.ImageStatus | None:
        return self.find(reference)

    async def list(self) -> Sequence[runtime.ImageStatus]:
        return tuple(self._present.values())

    async def remove(self, reference: str) -> None:
        if found := self.find(reference):
            self._present = {name: image for name, image in self._present.items() if image.id != found.id}

    def find(self, reference: str) -> runtime.ImageStatus | None:
        if references.is_id(reference):
            return next((image for image in self._present.values() if image.id == reference), None)
        wanted = _parse(reference)
        found = self._present.get(str(wanted))
        return self._add(wanted) if found is None and wanted.domain == "localhost" else found

    def _add(self, wanted: references.Reference) -> runtime.ImageStatus:
        digest = wanted.digest or _digest(f"manifest {wanted}")
        image = runtime.ImageStatus(
            id=_digest(f"config {wanted}"),
            tags=(str(wanted),) if wanted.tag else (),
            digests=(f"{wanted.name}@{digest}",),
            size_bytes=IMAGE_SIZE_BYTES,
        )
        self._present[str(wanted)] = image
        return image


def _parse(reference: str) -> references.Reference:
    try:
        return references.parse(reference)
    except references.InvalidReference as wrong:
        message = f'couldn\'t parse image name "{reference}": {wrong}'
        raise runtime.RuntimeFailure("InvalidImageName", message, temporary=False) from wrong


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
