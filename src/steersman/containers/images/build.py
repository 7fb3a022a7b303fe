"""Small images from files on this machine, the same bytes every time: `localhost/hello:VERSION` for a first session.

Busybox (Debian's busybox-static) with a link for each of its tools, a web page that tells version and host, and an `/etc` with
root and nobody.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

from steersman.containers.images import blobs, platforms

EPOCH = "1970-01-01T00:00:00Z"
HELLO_NAME = "localhost/hello"

PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
GROUP = "root:x:0:\nnobody:x:65534:\n"


class NoBusybox(RuntimeError):
    """No statically linked busybox on this machine."""


class Tree:
    """Files of a layer, in the order they were added, with fixed times and owners."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._buffer, mode="w", format=tarfile.GNU_FORMAT)  # noqa: SIM115

    def folder(self, path: str, mode: int = 0o755) -> None:
        self._add(path, tarfile.DIRTYPE, mode)

    def file(self, path: str, content: bytes | str, mode: int = 0o644) -> None:
        data = content.encode() if isinstance(content, str) else content
        self._add(path, tarfile.REGTYPE, mode, data)

    def link(self, path: str, target: str) -> None:
        self._add(path, tarfile.SYMTYPE, 0o777, target=target)

    def content(self) -> bytes:
        self._tar.close()
        return self._buffer.getvalue()

    def _add(self, path: str, kind: bytes, mode: int, data: bytes = b"", target: str = "") -> None:
        entry = tarfile.TarInfo(path)
        entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(data), target
        self._tar.addfile(entry, io.BytesIO(data))


def build_hello(version: str, target: str | os.PathLike[str]) -> str:
    """Write `localhost/hello:VERSION` as an OCI archive to `target`; its path. Raises NoBusybox."""
    tree = busybox_tree()
    tree.folder("www")
    tree.folder("www/cgi-bin")
    tree.file("www/index.html", f"hello from version {version}\n")
    tree.file("www/version", f"{version}\n")
    tree.file("www/cgi-bin/hello", _HELLO_SCRIPT.format(version=version), 0o755)
    config = {
        "Cmd": ["/bin/httpd", "-f", "-v", "-p", "8080", "-h", "/www"],
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", f"VERSION={version}"],
        "ExposedPorts": {"8080/tcp": {}},
    }
    write_archive(target, f"{HELLO_NAME}:{version}", [tree.content()], config)
    return os.fspath(target)


def build_pause(name: str, target: str | os.PathLike[str]) -> str:
    """Write an image that only waits, for runtimes whose sandboxes need a process. Raises NoBusybox."""
    tree = Tree()
    tree.folder("bin", 0o755)
    with open(find_busybox(), "rb") as file:
        tree.file("bin/sleep", file.read(), 0o755)
    write_archive(target, name, [tree.content()], {"Entrypoint": ["/bin/sleep", "infinity"]})
    return os.fspath(target)


_HELLO_SCRIPT = """#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
echo "hello from $(hostname), version {version}"
"""


def busybox_tree(busybox: str = "") -> Tree:
    """A root filesystem of busybox and nothing else. Raises NoBusybox."""
    path = busybox or find_busybox()
    with open(path, "rb") as file:
        program = file.read()
    tree = Tree()
    for name, mode in (
        ("bin", 0o755),
        ("dev", 0o755),
        ("etc", 0o755),
        ("home", 0o755),
        ("proc", 0o555),
        ("root", 0o700),
    ):
        tree.folder(name, mode)
    for name, mode in (
        ("sys", 0o555),
        ("tmp", 0o1777),
        ("usr", 0o755),
        ("usr/bin", 0o755),
        ("var", 0o755),
        ("var/tmp", 0o1777),
    ):
        tree.folder(name, mode)
    tree.link("sbin", "bin")
    tree.file("bin/busybox", program, 0o755)
    for applet in applets(path):
        tree.link(f"bin/{applet}", "busybox")
    tree.file("etc/passwd", PASSWD)
    tree.file("etc/group", GROUP)
    tree.file("etc/nsswitch.conf", "hosts: files dns\n")
    tree.file("etc/mime.types", "text/html html htm\ntext/plain txt\n")
    return tree


def find_busybox() -> str:
    """A statically linked one: nothing else is in the image."""
    for path in ("/bin/busybox", "/usr/bin/busybox", shutil.which("busybox") or ""):
        if path and os.path.exists(path) and _is_static(path):
            return os.path.realpath(path)
    raise NoBusybox("no statically linked busybox: install the Debian package busybox-static")


def applets(busybox: str) -> list[str]:
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    return sorted({os.path.basename(name) for name in listed} - {"busybox"})


def write_archive(target: str | os.PathLike[str], name: str, layers: Sequence[bytes], config: Mapping[str, Any]) -> str:
    """An OCI layout in a tar. `layers` are uncompressed tars, lowest first. Returns the manifest's digest."""
    architecture, variant = platforms.own()
    image = {
        "created": EPOCH,
        "architecture": architecture,
        **({"variant": variant} if variant else {}),
        "os": "linux",
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [blobs.digest(layer) for layer in layers]},
        "history": [{"created": EPOCH, "created_by": "steersman"} for _ in layers],
    }
    config_bytes = _json(image)
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config_bytes),
            "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar", layer) for layer in layers],
        }
    )
    entry = _descriptor("application/vnd.oci.image.manifest.v1+json", manifest)
    entry["annotations"] = {
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": name.rpartition(":")[2],
    }
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]}
    tree = Tree()
    tree.file("oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
    tree.file("index.json", _json(index))
    for blob in dict.fromkeys((*layers, config_bytes, manifest)):
        tree.file(f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)
    with open(target, "wb") as file:
        file.write(tree.content())
    return str(entry["digest"])


def _descriptor(media_type: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": blobs.digest(blob), "size": len(blob)}


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _is_static(path: str) -> bool:
    """An ELF program without an interpreter segment (PT_INTERP) is linked statically."""
    with open(path, "rb") as file:
        head = file.read(64)
        if head[:4] != b"\x7fELF":
            return False
        is_64, order = head[4] == 2, "little" if head[5] == 1 else "big"
        start = int.from_bytes(head[32:40] if is_64 else head[28:32], order)  # type: ignore[arg-type]
        size = int.from_bytes(head[54:56] if is_64 else head[42:44], order)  # type: ignore[arg-type]
        count = int.from_bytes(head[56:58] if is_64 else head[44:46], order)  # type: ignore[arg-type]
        file.seek(start)
        table = file.read(size * count)
    kinds = {int.from_bytes(table[i * size : i * size + 4], order) for i in range(count)}  # type: ignore[arg-type]
    return 3 not in kinds
