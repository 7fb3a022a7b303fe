"""Which keys of a ConfigMap or Secret become which files."""

from collections.abc import Mapping

from steersman.kubelet import environment, references
from steersman.kubelet.volumes.payload import File
from steersman.kubelet.volumes.volume import Context, MountError
from steersman.meta.objects import Object

DEFAULT_MODE = 0o644
_WORDS = {"ConfigMap": "config", "Secret": "secret"}  # upstream's


async def files_of(kind: str, source: Object, name: str, default_mode: int, context: Context) -> dict[str, File]:
    """`source` has `items` and `optional`. Raises MountError, references.Unavailable."""
    found = await context.references.get(kind, context.namespace, name)
    optional = bool(source.get("optional"))
    if found is None:
        if optional:
            return {}
        raise MountError(environment.not_found(kind, name))
    return chosen(references.binary_data(found), source, default_mode, f"references non-existent {_WORDS[kind]} key")


def chosen(data: Mapping[str, bytes], source: Object, default_mode: int, complaint: str) -> dict[str, File]:
    items = source.get("items")
    if not items:
        return {key: File(value, default_mode) for key, value in data.items()}
    files = {}
    for item in items:
        if item["key"] in data:
            mode = item.get("mode")
            files[item["path"]] = File(data[item["key"]], default_mode if mode is None else mode)
        elif not source.get("optional"):
            raise MountError(f"{complaint}: {item['key']}")
    return files
