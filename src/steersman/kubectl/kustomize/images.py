"""`images` and `replicas` of a kustomization. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from steersman.kubectl.kustomize.errors import KustomizeError
from steersman.kubectl.kustomize.resources import Resources

_CONTAINERS = ("containers", "initContainers")
_SCALED = ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController")


def set_images(resources: Resources, wanted: Mapping[str, Any]) -> None:
    matches = re.compile(f"^{wanted.get('name', '')}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$").match
    for resource in resources:
        if resource.kind != "CustomResourceDefinition":
            _visit(resource.obj, wanted, matches)


def _visit(value: Any, wanted: Mapping[str, Any], matches: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _visit(item, wanted, matches)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key in _CONTAINERS and isinstance(inner, list):
                for container in inner:
                    if isinstance(container, dict) and matches(str(container.get("image") or "")):
                        container["image"] = changed(str(container["image"]), wanted)
            _visit(inner, wanted, matches)


def changed(image: str, wanted: Mapping[str, Any]) -> str:
    """The image by its new name, tag or digest."""
    name, tag, digest = split(image)
    name = wanted.get("newName") or name
    if wanted.get("newTag") and wanted.get("digest"):
        return f"{name}:{wanted['newTag']}@{wanted['digest']}"
    if wanted.get("newTag"):
        tag, digest = wanted["newTag"], ""
    elif wanted.get("digest"):
        tag, digest = "", wanted["digest"]
    if wanted.get("tagSuffix"):
        tag += wanted["tagSuffix"]
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def split(image: str) -> tuple[str, str, str]:
    """(name, tag, digest)"""
    name, _, digest = image.partition("@")
    before, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return before + slash + last, tag, digest


def set_replicas(resources: Resources, wanted: Mapping[str, Any]) -> None:
    """Raises KustomizeError where nothing of that name can be scaled."""
    name = wanted.get("name", "")
    found = [
        resource
        for resource in resources
        if resource.kind in _SCALED and any(one.name == name for one in resource.ids())
    ]
    if not found:
        kinds = " ".join(f"{kind}.[noVer].[noGrp]" for kind in _SCALED)
        raise KustomizeError(f"resource with name {name} does not match a config with the following GVK [{kinds}]")
    for resource in found:
        resource.obj.setdefault("spec", {})["replicas"] = wanted.get("count", 0)
