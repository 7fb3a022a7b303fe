"""nfs: a folder of a file server, mounted by the machine's own helper (`mount.nfs`)."""

from pathlib import Path

from steersman.kubelet.volumes import mount_command, tmpfs
from steersman.kubelet.volumes.volume import Context
from steersman.meta.objects import Object

REFRESHED = False


async def set_up(name: str, source: Object, context: Context) -> Path:
    return await mounted(name, source, (), context)


async def mounted(name: str, source: Object, options: tuple[str, ...], context: Context) -> Path:
    folder = context.folder("nfs", name)
    if tmpfs.is_mounted(folder):  # not asked of the server, which may be away
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    wanted = (*options, *(("ro",) if source.get("readOnly") else ()))
    try:
        await mount_command.mount("nfs", f"{_host(source['server'])}:{source['path']}", str(folder), wanted)
    except BaseException:
        folder.rmdir()
        raise
    return folder


def _host(server: str) -> str:
    """IPv6 addresses stand in brackets."""
    return f"[{server}]" if ":" in server and not server.startswith("[") else server
