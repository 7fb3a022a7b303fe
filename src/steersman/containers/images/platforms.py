"""Which of an index' images runs on this machine. Pure."""

import platform
from collections.abc import Mapping, Sequence
from typing import Any

# uname's machine → the architecture (and variant) as Go names it, which images use.
ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "aarch64": ("arm64", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "i686": ("386", ""),
    "ppc64le": ("ppc64le", ""),
    "s390x": ("s390x", ""),
    "riscv64": ("riscv64", ""),
}


class NoMatch(ValueError):
    """No image for this platform."""


def own() -> tuple[str, str]:
    machine = platform.machine()
    return ARCHITECTURES.get(machine, (machine, ""))


def pick(manifests: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The manifest for Linux on this machine; a matching variant is better than none. Raises NoMatch."""
    architecture, variant = own()
    fitting = [m for m in manifests if _fits(m.get("platform"), architecture)]
    if not fitting:
        raise NoMatch(f"no match for platform in manifest: linux/{architecture}")
    return max(fitting, key=lambda m: (m.get("platform") or {}).get("variant", "") == variant)


def check(config: Mapping[str, Any]) -> None:
    """Raises NoMatch for an image of another platform; a configuration that does not say passes."""
    architecture, _ = own()
    if config.get("architecture", architecture) != architecture or config.get("os", "linux") != "linux":
        raise NoMatch(f"the image is for {config.get('os')}/{config.get('architecture')}, this is linux/{architecture}")


def _fits(wanted: Mapping[str, Any] | None, architecture: str) -> bool:
    return wanted is None or (wanted.get("os") == "linux" and wanted.get("architecture") == architecture)
