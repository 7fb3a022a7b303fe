"""What a `kustomization.yaml` says: its fields, which of them are old, which are refused. Pure."""

from collections.abc import Mapping
from typing import Any

from steersman.kubectl import go_yaml
from steersman.kubectl.kustomize.errors import KustomizeError

_LISTS = [
    "bases",
    "buildMetadata",
    "components",
    "configMapGenerator",
    "configurations",
    "crds",
    "generators",
    "helmCharts",
    "images",
    "labels",
    "patches",
    "patchesJson6902",
    "patchesStrategicMerge",
    "replacements",
    "replicas",
    "resources",
    "secretGenerator",
    "transformers",
    "validators",
    "vars",
    "helmChartInflationGenerator",
    "imageTags",
]
_OF_TEXTS = ("resources", "bases", "components", "buildMetadata")
_TYPES = {"patches": "Patch", "images": "Image", "replicas": "Replica", "labels": "Label"}
_MAPS = ["commonLabels", "commonAnnotations", "generatorOptions", "helmGlobals", "metadata", "openapi", "sortOptions"]
_TEXTS = ("namePrefix", "nameSuffix", "namespace", "apiVersion", "kind")
_DEPRECATED = {
    "commonLabels": "labels",
    "bases": "resources",
    "imageTags": "images",
    "patchesJson6902": "patches",
    "patchesStrategicMerge": "patches",
    "vars": "replacements",
}
# What runs programs, or reads types and tables of others' making.
_REFUSED = {
    "generators": "generators are programs: plugins are not run",
    "transformers": "transformers are programs: plugins are not run",
    "validators": "validators are programs: plugins are not run",
    "configurations": "configurations of built-in transformers are not supported",
    "crds": "crds are not supported",
    "openapi": "openapi: only the types of Kubernetes' own kinds are known",
    "vars": "vars are not supported; use replacements instead",
}
_API = "kustomize.config.k8s.io/"


def parse(content: bytes) -> dict[str, Any]:
    """Raises KustomizeError."""
    try:
        documents = list(go_yaml.read_all(content))
    except go_yaml.BadYaml as wrong:
        raise KustomizeError(f"invalid Kustomization: error converting YAML to JSON: {wrong}") from wrong
    found = documents[0] if documents else None
    if found is None:
        raise KustomizeError("kustomization.yaml is empty")
    if not isinstance(found, dict):
        raise KustomizeError(
            f"invalid Kustomization: json: cannot unmarshal {_kind(found)} into Go value of type types.Kustomization"
        )
    for name, value in found.items():
        _check(name, value)
    said = {name: value for name, value in found.items() if value}
    if not set(said) - {"apiVersion", "kind", "metadata", "vars"} and "vars" not in found:
        raise KustomizeError("kustomization.yaml is empty")
    if said.get("kind") not in (None, "Kustomization", "Component"):
        raise KustomizeError("kind should be Kustomization or Component")
    if not str(said.get("apiVersion") or _API).startswith(_API):
        wanted = "v1alpha1" if said.get("kind") == "Component" else "v1beta1"
        raise KustomizeError(f"apiVersion for {said.get('kind') or 'Kustomization'} should be {_API}{wanted}")
    for name, why in _REFUSED.items():
        if said.get(name):
            raise KustomizeError(why)
    if said.get("helmCharts") or said.get("helmChartInflationGenerator"):
        raise KustomizeError("trouble configuring builtin HelmChartInflationGenerator: must specify --enable-helm")
    deprecated: dict[str, Any] = {name: [] for name in _DEPRECATED if found.get(name) is not None}
    return deprecated | said | {"resources": [*(said.get("resources") or ()), *(said.get("bases") or ())]}


def warnings(content: Mapping[str, Any]) -> list[str]:
    """Of the fields that are old."""
    return [
        f"# Warning: '{name}' is deprecated. Please use '{instead}' instead. "
        + ("[EXPERIMENTAL] " if name == "vars" else "")
        + "Run 'kustomize edit fix' to update your Kustomization automatically."
        for name, instead in _DEPRECATED.items()
        if name in content
    ]


def _check(name: str, value: Any) -> None:
    """Raises KustomizeError for a field that is none, or of the wrong type."""
    wanted: tuple[str, Any]
    if name in _LISTS:
        wanted = "[]string" if name in _OF_TEXTS else f"[]types.{_TYPES.get(name, name)}", list
    elif name in _MAPS:
        wanted = "map[string]string", dict
    elif name in _TEXTS:
        wanted = "string", str
    else:
        raise KustomizeError(f'invalid Kustomization: json: unknown field "{name}"')
    if value is not None and not isinstance(value, wanted[1]):
        raise _wrong(value, f"Kustomization.{name}", wanted[0])
    for entry in value or () if name in _OF_TEXTS else ():
        if not isinstance(entry, str):
            raise _wrong(entry, f"Kustomization.{name}", "string")
    pairs = [(f"Kustomization.{name}", value)] if name in ("commonLabels", "commonAnnotations") else []
    if name == "labels":
        pairs = [("Label.labels.pairs", entry.get("pairs")) for entry in value or () if isinstance(entry, dict)]
    for field, texts in pairs:
        for text in texts.values() if isinstance(texts, dict) else ():
            if not isinstance(text, str):
                raise _wrong(text, field, "string")
    for entry in value or () if name == "images" else ():
        for key, text in entry.items() if isinstance(entry, dict) else ():
            if not isinstance(text, str):
                raise _wrong(text, f"Image.images.{key}", "string")


def _wrong(value: Any, field: str, wanted: str) -> KustomizeError:
    return KustomizeError(
        f"invalid Kustomization: json: cannot unmarshal {_kind(value)} into Go struct field {field} of type {wanted}"
    )


def _kind(value: Any) -> str:
    names = ((bool, "bool"), (str, "string"), ((int, float), "number"), (list, "array"), (dict, "object"))
    return next((name for kind, name in names if isinstance(value, kind)), "null")
