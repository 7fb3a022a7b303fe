"""Which nodes have which container images, by every name an image has there, and how large it is."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


class Images:
    """Rows are those of the snapshot."""

    def __init__(self) -> None:
        self._sizes: dict[str, dict[int, int]] = {}  # name → row → bytes
        self._of: dict[int, tuple[str, ...]] = {}

    def set(self, row: int, images: Iterable[Mapping[str, Any]]) -> None:
        self.remove(row)
        names = []
        for image in images:
            for name in image.get("names") or ():
                self._sizes.setdefault(name, {})[row] = int(image.get("sizeBytes") or 0)
                names.append(name)
        if names:
            self._of[row] = tuple(names)

    def remove(self, row: int) -> None:
        for name in self._of.pop(row, ()):
            rows = self._sizes.get(name)
            if rows is not None:
                rows.pop(row, None)
                if not rows:
                    del self._sizes[name]

    def sizes(self, name: str, rows: int) -> npt.NDArray[np.int64]:
        """Bytes per row; 0 where the image is not."""
        found = np.zeros(rows, np.int64)
        for row, size in self._sizes.get(name, {}).items():
            found[row] = size
        return found

    def has(self, name: str) -> bool:
        return name in self._sizes
