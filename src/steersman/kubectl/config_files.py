"""The kubeconfig files of `kubectl config`: which are read, and into which of them a change goes.

Keeps true: what is changed is changed in the file that defines it; what is new goes into the first file there is; relative paths
stay relative to their file. Source of the rules: client-go's clientcmd.ModifyConfig.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steersman.client import kubeconfig
from steersman.kubectl import access_flags, config_shape
from steersman.kubectl.flags import Values
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


class ConfigFiles:
    """`merged` is what all files together say; `origin` tells the file of an entry."""

    def __init__(self, flags: Values, environment: Mapping[str, str]) -> None:
        self.is_explicit = bool(flags["kubeconfig"])
        self._paths = [path.absolute() for path in access_flags.paths(flags, environment)]
        self._files = {path: _read(path) for path in self._paths}
        self._origins: dict[tuple[str, str], Path] = {}
        self.merged = self._merge()

    @property
    def default(self) -> Path:
        """Where new things go: the first file there is, else the last of the list."""
        return next((path for path in self._paths if path.exists()), self._paths[-1])

    def origin(self, section: str, name: str) -> Path:
        return self._origins.get((section, name), self.default)

    def body(self, section: str, name: str) -> Object | None:
        return config_shape.find(self.merged, section, name)

    def put(self, section: str, name: str, body: Object | None) -> None:
        """Write an entry into its file; None takes it away."""
        path = self.origin(section, name)
        config = self._files.get(path) or _read(path)
        key = config_shape.SECTIONS[section]
        entries = [entry for entry in config.get(section) or [] if entry["name"] != name]
        if body is not None:
            entries.append({"name": name, key: _relative(body, path.parent)})
        self._write(path, {**config, section: entries})

    def clear(self, section: str) -> None:
        for name in config_shape.names(self.merged, section):
            self.put(section, name, None)

    def set_current(self, name: str) -> None:
        """Raises CommandError."""
        if self.merged["current-context"] == name:
            return
        if name or self.is_explicit:
            path = self._paths[0] if self.is_explicit else self.default
        else:
            found = [path for path in self._paths if self._files[path].get("current-context")]
            if not found:
                raise CommandError("no config found to write context")
            path = found[0]
        self._write(path, {**self._files[path], "current-context": name})

    def set_preferences(self, preferences: Object) -> None:
        path = self.default
        self._write(path, {**self._files[path], "preferences": preferences})

    def _write(self, path: Path, config: Object) -> None:
        from steersman.kubectl import go_yaml

        if path.exists() and config_shape.normal(config) == config_shape.normal(self._files.get(path) or {}):
            return
        self._files[path] = config
        path.parent.mkdir(parents=True, exist_ok=True)
        kubeconfig.replace(path, go_yaml.dump(config_shape.normal(config)))
        self.merged = self._merge()

    def _merge(self) -> Object:
        """The first file to name a thing wins."""
        merged: dict[str, Any] = {section: [] for section in config_shape.SECTIONS}
        current = ""
        preferences: Object = {}
        extensions: list[Object] = []
        self._origins = {}
        for path in self._paths:
            config = self._files[path]
            current = current or config.get("current-context") or ""
            preferences = {**(config.get("preferences") or {}), **preferences}
            extensions += config.get("extensions") or []
            for section in config_shape.SECTIONS:
                for entry in config.get(section) or []:
                    if (section, entry["name"]) not in self._origins:
                        self._origins[section, entry["name"]] = path
                        merged[section].append(entry)
        found = {**merged, "current-context": current, "preferences": preferences, "extensions": extensions}
        return config_shape.normal(found)


def embedded(path: str, flag: str) -> bytes:
    """A file's content for --embed-certs. Raises CommandError."""
    try:
        return Path(path).read_bytes()
    except OSError as problem:
        why = (problem.strerror or str(problem)).lower()
        raise CommandError(f"could not stat {flag} file {path}: stat {path}: {why}") from problem


def _read(path: Path) -> Object:
    """Raises KubeconfigError."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    from steersman.kubectl import config_reading

    return config_reading.parse(text, str(path))


def _relative(body: Object, folder: Path) -> Object:
    """Paths below the file's folder are written from there."""
    result = dict(body)
    for field in _PATHS:
        path = result.get(field)
        if path and os.path.isabs(path):  # noqa: PTH117 -- a text from a file
            short = os.path.relpath(path, folder)
            result[field] = path if short.startswith("..") else short
    return result
