"""The CustomResourceDefinitions of Gateway API, and the class of this controller: read from `definitions.yaml`."""

import importlib.resources
from collections.abc import Iterator

import yaml

from steersman.ingress.gateway.listeners import CLASS, CONTROLLER, GROUP
from steersman.meta.objects import Object

# What upstream asks of definitions in a k8s.io group: who approved the API. These are upstream's own kinds.
_APPROVED = {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api"}
_METADATA = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}


def all_definitions() -> Iterator[Object]:
    text = importlib.resources.files(__package__).joinpath("definitions.yaml").read_text()
    for one in yaml.safe_load(text)["definitions"]:
        yield _definition(one)


def gateway_class() -> Object:
    return {"metadata": {"name": CLASS}, "spec": {"controllerName": CONTROLLER}}


def _definition(one: Object) -> Object:
    properties = {**_METADATA, "spec": one["spec"]}
    version: Object = {
        "name": one["version"],
        "served": True,
        "storage": True,
        "additionalPrinterColumns": one["columns"],
    }
    if "status" in one:
        properties["status"] = one["status"]
        version["subresources"] = {"status": {}}
    schema = {"type": "object", "properties": properties}
    if one.get("required"):
        schema["required"] = one["required"]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{one['names']['plural']}.{GROUP}", "annotations": _APPROVED},
        "spec": {
            "group": GROUP,
            "names": one["names"],
            "scope": one["scope"],
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
        },
    }
