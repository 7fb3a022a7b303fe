"""The CustomResourceDefinitions of Gateway API, and the class of this controller: read from `definitions.yaml`."""

import importlib.resources
from collections.abc import Iterator

import yaml

from steersman.api.custom import building
from steersman.ingress.gateway.listeners import CLASS, CONTROLLER, GROUP
from steersman.meta.objects import Object

_APPROVED = "https://github.com/kubernetes-sigs/gateway-api"


def all_definitions() -> Iterator[Object]:
    text = importlib.resources.files(__package__).joinpath("definitions.yaml").read_text()
    for one in yaml.safe_load(text)["definitions"]:
        yield building.definition(GROUP, _APPROVED, one)


def gateway_class() -> Object:
    return {"metadata": {"name": CLASS}, "spec": {"controllerName": CONTROLLER}}
