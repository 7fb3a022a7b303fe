"""A kind of one's own: a CustomResourceDefinition with a name nobody has, served once `made` returns."""

import dataclasses
import functools
from typing import Any

from tests.conformance.live import Api, Object, Refused, condition, unique, wait

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ANYTHING: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@dataclasses.dataclass(frozen=True)
class Custom:
    api: Api
    group: str
    kind: str
    plural: str

    @property
    def definition(self) -> str:
        return f"{DEFINITIONS}/{self.plural}.{self.group}"

    def root(self, version: str = "v1", namespace: str = "") -> str:
        within = f"/namespaces/{namespace}" if namespace else ""
        return f"/apis/{self.group}/{version}{within}/{self.plural}"

    def body(self, name: str, version: str = "v1", **fields: Any) -> Object:
        return {"apiVersion": f"{self.group}/{version}", "kind": self.kind, "metadata": {"name": name}, **fields}

    def end(self) -> None:
        self.api.delete(self.definition)


def definition(schema: Object = ANYTHING, versions: tuple[str, ...] = ("v1",), scope: str = "Namespaced") -> Object:
    """The first version is stored."""
    word = unique("conf").replace("-", "")
    group = f"{word}.example.com"
    served = [
        {"name": name, "served": True, "storage": name == versions[0], "schema": {"openAPIV3Schema": schema}}
        for name in versions
    ]
    plural, kind = f"{word}s", word.capitalize()
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"plural": plural, "singular": word, "kind": kind, "listKind": f"{kind}List"},
            "versions": served,
        },
    }


def made(api: Api, wanted: Object) -> Custom:
    api.create(DEFINITIONS, wanted)
    spec = wanted["spec"]
    custom = Custom(api, spec["group"], spec["names"]["kind"], spec["names"]["plural"])
    wait("it is established", lambda: condition(api.get(custom.definition), "Established") == "True")
    for version in spec["versions"]:
        wait("it is served", functools.partial(serves, custom, version["name"]))
    return custom


def serves(custom: Custom, version: str) -> bool:
    try:
        custom.api.get(custom.root(version))
    except Refused as refused:
        return refused.code == 404 and "page not found" not in refused.message
    return True
