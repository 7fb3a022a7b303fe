"""Reading a file of an image out of its unpacked layers, without mounting them."""

import os
import stat

LINKS_MAX = 40  # as the kernel's
SIZE_MAX = 1 << 20  # of /etc/passwd and the like


def read(layers: list[str], path: str) -> str:
    """The text of `path` as a container would see it; "" when there is none. `layers`: folders, top one first."""
    found = _find(layers, path)
    if found is None:
        return ""
    with open(found, errors="replace") as file:
        return file.read(SIZE_MAX)


def _find(layers: list[str], path: str) -> str | None:
    """Walks component by component: links are followed inside the image only."""
    parts, links = _parts(path), 0
    walked: list[str] = []
    while parts:
        name = parts.pop(0)
        if name == "..":
            walked = walked[:-1]
            continue
        real = _look_up(layers, [*walked, name])
        if real is None:
            return None
        if os.path.islink(real):
            links += 1
            if links > LINKS_MAX:
                return None
            target = os.readlink(real)
            if target.startswith("/"):
                walked = []
            parts = _parts(target) + parts
        else:
            walked = [*walked, name]
    real = _look_up(layers, walked) if walked else None
    return real if real and stat.S_ISREG(os.lstat(real).st_mode) else None


def _look_up(layers: list[str], parts: list[str]) -> str | None:
    """The entry in the topmost layer that has it; its folders are known to be real ones."""
    for layer in layers:
        current = layer
        for index, name in enumerate(parts):
            current = os.path.join(current, name)
            try:
                mode = os.lstat(current).st_mode
            except (FileNotFoundError, NotADirectoryError):
                break
            if stat.S_ISCHR(mode):  # a whiteout: lower layers do not count
                return None
            if index == len(parts) - 1:
                return current
            if not stat.S_ISDIR(mode):
                return None
            if _is_opaque(current) and not os.path.lexists(os.path.join(current, parts[index + 1])):
                return None
    return None


def _is_opaque(folder: str) -> bool:
    names = os.listxattr(folder, follow_symlinks=False)
    return "trusted.overlay.opaque" in names or "user.overlay.opaque" in names


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]
