"""What admission plugins are told by a file, an AdmissionConfiguration of apiserver.config.k8s.io/v1.

Pure, but for `read` (`--admission-control-config-file`). A plugin that takes no configuration here is refused rather than passed
over.
"""

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from steersman.api.pod_security import configuration
from steersman.meta.objects import Object

API_VERSION, KIND = "apiserver.config.k8s.io/v1", "AdmissionConfiguration"
_POD_SECURITY = "PodSecurity"


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    pod_security: configuration.Configuration = configuration.DEFAULT


DEFAULT = Settings()


def read(path: str | Path) -> Settings:
    """A plugin's part is in the file, or in another one named there. Raises ValueError, OSError."""
    where = Path(path)
    found = _load(where)
    if not isinstance(found, dict) or (found.get("apiVersion"), found.get("kind")) != (API_VERSION, KIND):
        raise ValueError(f"{path}: not an {KIND} of {API_VERSION}")
    settings = DEFAULT
    for index, plugin in enumerate(found.get("plugins") or ()):
        if plugin.get("name") != _POD_SECURITY:
            raise ValueError(f"{path}: plugins[{index}].name: {plugin.get('name')} takes no configuration here")
        try:
            settings = dataclasses.replace(settings, pod_security=configuration.parse(_part(plugin, where.parent)))
        except ValueError as wrong:
            raise ValueError(f"{path}: plugins[{index}]: {wrong}") from wrong
    return settings


def _part(plugin: Object, folder: Path) -> Any:
    return (
        plugin["configuration"] if plugin.get("configuration") is not None else _load(folder / plugin.get("path", ""))
    )


def _load(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as wrong:
        raise ValueError(f"{path}: {wrong}") from wrong
