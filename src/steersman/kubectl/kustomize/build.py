"""The build of one kustomization: what it gathers, makes and changes, in kustomize's order."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from steersman.kubectl import go_yaml
from steersman.kubectl.kustomize import (
    documents,
    generators,
    images,
    kustomization,
    labels,
    names,
    ordering,
    patches,
    references,
    replacements,
)
from steersman.kubectl.kustomize.errors import KustomizeError
from steersman.kubectl.kustomize.files import Folder, is_remote, remote
from steersman.kubectl.kustomize.resources import Resource, Resources
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

_LOCAL = "config.kubernetes.io/local-config"
_MANAGED_BY = "app.kubernetes.io/managed-by"
_VERSION = "kustomize-(devel)"  # what kubectl's own kustomize calls itself

Warn = Callable[[str], None]


def build(name: str, warn: Warn = lambda text: None, *, restricted: bool = True) -> list[Object]:
    """The objects of the folder's kustomization. Raises KustomizeError."""
    folder = Folder.open(name, restricted=restricted)
    content = _load(folder, warn)
    found = _gather(folder, content, Resources(), warn)
    for resource in found:
        if resource.needs_hash:
            resource.remember()
            resource.metadata["name"] = generators.hashed_name(resource)
    references.fix(found)
    kept = Resources()
    for resource in found:
        if (resource.metadata.get("annotations") or {}).get(_LOCAL) not in ("true", True):
            kept.add(resource)
    _sort(kept, content.get("sortOptions") or {})
    if "managedByLabel" in (content.get("buildMetadata") or ()):
        labels.label(kept, {_MANAGED_BY: _VERSION}, (labels.METADATA,))
    return [resource.obj for resource in kept]


def objects(name: str, write_error: Callable[[str], None], *, restricted: bool = True) -> list[Object]:
    """For verbs with `-k`: warnings are told. Raises CommandError."""
    try:
        return build(name, lambda text: write_error(f"{text}\n"), restricted=restricted)
    except KustomizeError as wrong:
        raise CommandError(str(wrong)) from wrong


def _sort(resources: Resources, options: Mapping[str, Any]) -> None:
    order = options.get("order", "legacy")
    if order == "fifo":
        return
    if order != "legacy":
        raise KustomizeError("the sortOptions.order field must be one of [fifo legacy]")
    wanted = options.get("legacySortOptions") or {}
    resources.sort(ordering.legacy(wanted.get("orderFirst", ordering.FIRST), wanted.get("orderLast", ordering.LAST)))


def _load(folder: Folder, warn: Warn) -> dict[str, Any]:
    content = kustomization.parse(folder.kustomization())
    for text in kustomization.warnings(content):
        warn(text)
    return content


def _gather(folder: Folder, content: Mapping[str, Any], before: Resources, warn: Warn) -> Resources:
    """The kustomization's own resources and all it does to them (a component's: also to those `before`)."""
    found = before
    for name in content["resources"]:
        try:
            _add(found, folder, name, warn)
        except KustomizeError as wrong:
            raise KustomizeError(f"accumulating resources: {wrong}") from wrong
    options = content.get("generatorOptions") or {}
    for entry in content.get("configMapGenerator") or ():
        generators.add(found, generators.config_map(entry, options, folder.read))
    for entry in content.get("secretGenerator") or ():
        generators.add(found, generators.secret(entry, options, folder.read))
    for name in content.get("components") or ():
        found = _component(found, folder, name, warn)
    _transform(folder, content, found)
    return found


def _add(found: Resources, folder: Folder, name: str, warn: Warn) -> None:
    """A file's resources, or those of another kustomization."""
    if is_remote(name):
        raise remote(name)
    step = "accumulating"
    try:
        objects, step = _objects(folder, name), "merging"
        for obj in objects:
            found.add(Resource(obj))
        return
    except _Malformed:
        raise
    except KustomizeError as wrong:
        of_file = f"accumulation err='{step} resources from '{name}': {wrong}'"
    try:
        child = folder.child(name)
    except KustomizeError as wrong:
        raise KustomizeError(f"{of_file}: {wrong}") from wrong
    try:
        content = _load(child, warn)
    except KustomizeError as wrong:
        raise KustomizeError(f"{of_file}: couldn't make target for path '{child.path}': {wrong}") from wrong
    if content.get("kind") == "Component":
        raise KustomizeError(f"{of_file}: expected kind != 'Component' for path '{child.path}'")
    try:
        below = _gather(child, content, Resources(), warn)
    except KustomizeError as wrong:
        raise KustomizeError(f"{of_file}: recursed accumulation of path '{child.path}': {wrong}") from wrong
    try:
        for resource in below:
            found.add(resource)
    except KustomizeError as wrong:
        raise KustomizeError(f"{of_file}: recursed merging from path '{child.path}': {wrong}") from wrong


def _component(found: Resources, folder: Folder, name: str, warn: Warn) -> Resources:
    try:
        child = folder.child(name)
    except KustomizeError as wrong:
        raise KustomizeError(f'accumulating components: loader.New "{wrong}"') from wrong
    try:
        content = _load(child, warn)
        if content.get("kind") != "Component":
            raise KustomizeError(f"expected kind 'Component' for path '{child.path}' but got 'Kustomization'")
        return _gather(child, content, found, warn)
    except KustomizeError as wrong:
        raise KustomizeError(f'accumulating components: accumulateDirectory: "{wrong}"') from wrong


class _Malformed(KustomizeError):
    """A file that holds something else than resources."""


def _objects(folder: Folder, name: str) -> list[Object]:
    found: list[Object] = []
    try:
        for document in documents.read_all(folder.read(name)):
            found += _flat(document)
    except go_yaml.BadYaml as wrong:
        raise _Malformed(
            f"accumulating resources from '{name}': MalformedYAMLError: {wrong} in File: {name}"
        ) from wrong
    for obj in found:
        meta = obj.get("metadata") or {}
        if not obj.get("kind") or not meta:
            kind = f"{obj.get('apiVersion') or ''} {obj.get('kind') or ''}"
            nothing = "missing Resource metadata" if not obj.get("kind") else ""
            raise KustomizeError(nothing or f"missing metadata.name in object {{{{{kind}}} {{{{ }} map[] map[]}}}}")
        if not meta.get("name"):
            shown = f"{{{{{obj.get('apiVersion') or ''} {obj['kind']}}} {{{{ {meta.get('namespace') or ''}}} map[] map[]}}}}"
            raise KustomizeError(f"missing metadata.name in object {shown}")
    return found


def _flat(document: Any) -> list[Object]:
    if document is None:
        return []
    if not isinstance(document, dict):
        raise go_yaml.BadYaml("wrong node kind: expected MappingNode but got " + type(document).__name__)
    if str(document.get("kind") or "").endswith("List") and isinstance(document.get("items"), list):
        return [obj for item in document["items"] for obj in _flat(item)]
    return [document]


def _transform(folder: Folder, content: Mapping[str, Any], found: Resources) -> None:
    """In the order of kustomize's built-in transformers."""
    for text in content.get("patchesStrategicMerge") or ():
        for patch in patches.all_of([_text_or_file(folder, text)]):
            patches.merge(found, patch, patches.by_identity(found, patch), {})
    for entry in content.get("patches") or ():
        patches.apply(found, _patch_text(folder, entry), entry)
    if content.get("namespace"):
        names.move(found, content["namespace"])
    if content.get("namePrefix") or content.get("nameSuffix"):
        names.affix(found, content.get("namePrefix") or "", content.get("nameSuffix") or "")
    for entry in content.get("labels") or ():
        labels.label(found, entry.get("pairs") or {}, labels.fields_of(entry))
    if content.get("commonLabels"):
        labels.label(found, content["commonLabels"], (labels.METADATA, *labels.SELECTORS, *labels.TEMPLATES))
    if content.get("commonAnnotations"):
        labels.label(found, content["commonAnnotations"], labels.ANNOTATIONS)
    for entry in content.get("patchesJson6902") or ():
        patches.apply(found, _patch_text(folder, entry), entry)
    for entry in content.get("replicas") or ():
        images.set_replicas(found, entry)
    for entry in content.get("images") or ():
        images.set_images(found, entry)
    for entry in content.get("replacements") or ():
        for replacement in _replacements(folder, entry):
            replacements.apply(found, replacement)


def _text_or_file(folder: Folder, text: str) -> str:
    """`patchesStrategicMerge` holds patches, or names of files with them."""
    if "\n" in text or ":" in text:
        return text
    return folder.read(text).decode()


def _patch_text(folder: Folder, entry: Mapping[str, Any]) -> str:
    path, text = entry.get("path"), entry.get("patch")
    if path and text:
        raise KustomizeError("patch and path can't be set at the same time")
    if not path and not text:
        raise KustomizeError("must specify one of patch and path in PatchTransformer")
    return folder.read(path).decode() if path else str(text)


def _replacements(folder: Folder, entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if not entry.get("path"):
        return [copy.deepcopy(entry)]
    if entry.get("source") or entry.get("targets"):
        raise KustomizeError("cannot specify both path and inline replacement")
    found: list[Mapping[str, Any]] = []
    for document in documents.read_all(folder.read(entry["path"])):
        found += document if isinstance(document, list) else [document] if document else []
    return found
