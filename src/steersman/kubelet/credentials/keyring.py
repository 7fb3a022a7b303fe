"""Which entries of a Docker configuration are for an image: names of registries with wildcards, the most exact first. Pure.

Source: upstream's credentialprovider/keyring.go and the documentation of `matchImages`.
"""

import fnmatch
import re
import urllib.parse
from collections.abc import Mapping
from typing import TypeVar

# Entries for Docker Hub go by this name.
DEFAULT_REGISTRY = "index.docker.io"
_DOCKER_HUB = ("docker.io", DEFAULT_REGISTRY)
_NOT_A_HOST = re.compile(r"[\s<>\"\\^`{|}]")
_NO_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2}).{0,2}")

Entry = TypeVar("Entry")


class Malformed(ValueError):
    """Not a registry's name; the text says why, as Go's URLs do."""


def split(name: str) -> tuple[str, str, str]:
    """(host, port, path) of a registry or an image without a scheme. Raises Malformed."""
    try:
        found = urllib.parse.urlsplit(f"https://{name}")
        port = str(found.port) if found.port is not None else ""
    except ValueError as wrong:
        raise Malformed(f'parse "https://{name}": {wrong}') from wrong
    host = found.netloc.rpartition("@")[2].removesuffix(f":{port}") if port else found.netloc.rpartition("@")[2]
    if bad := _NO_ESCAPE.search(host):
        raise Malformed(f'parse "https://{name}": invalid URL escape "{bad[0]}"')
    if bad := _NOT_A_HOST.search(host):
        raise Malformed(f'parse "https://{name}": invalid character "{bad[0]}" in host name')
    return host, port, found.path


def matches(pattern: str, name: str) -> bool:
    """Whether an image's name is of a registry: the host has as many parts, each as its pattern says, the port is the same, and
    it is below the path."""
    try:
        (host, port, path), (of_host, of_port, of_path) = split(pattern), split(name)
    except Malformed:
        return False
    wanted, parts = host.split("."), of_host.split(".")
    if port != of_port or len(wanted) != len(parts) or not of_path.startswith(path):
        return False
    return all(fnmatch.fnmatchcase(part, one) for one, part in zip(wanted, parts, strict=True))


def fitting(entries: Mapping[str, Entry], name: str) -> list[Entry]:
    """Of a configuration, those for an image (its name, without tag and digest)."""
    indexed: dict[str, list[Entry]] = {}
    for location, entry in entries.items():
        if (key := _key(location)) is not None:
            indexed.setdefault(key, []).append(entry)
    found = [entry for key in sorted(indexed, reverse=True) if matches(key, name) for entry in indexed[key]]
    if not found and _is_of_docker_hub(name):
        return indexed.get(DEFAULT_REGISTRY, [])
    return found


def _key(location: str) -> str | None:
    """Host and path; versions of the registry's API, which Docker writes there, are none."""
    whole = location if location.startswith(("https://", "http://")) else f"https://{location}"
    try:
        found = urllib.parse.urlsplit(whole)
    except ValueError:
        return None
    path = found.path[3:] if found.path.startswith(("/v1/", "/v2/")) else found.path
    return found.netloc + (path if path != "/" else "")


def _is_of_docker_hub(name: str) -> bool:
    first, slash, _ = name.partition("/")
    if not slash or first in _DOCKER_HUB:
        return bool(first)
    return "." not in first and ":" not in first
