"""The embedded container runtime: crun or runc, overlayfs, and a shim process that is the containers' parent.

`OciRuntime` is loaded when it is asked for: the shim imports this package too and must stay small.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steersman.containers.oci.embedded import OciRuntime

__all__ = ["OciRuntime"]


def __getattr__(name: str) -> Any:
    if name == "OciRuntime":
        from steersman.containers.oci import embedded

        return embedded.OciRuntime
    raise AttributeError(name)
