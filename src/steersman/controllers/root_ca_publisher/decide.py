"""Keep the cluster's CA certificate in a ConfigMap of every namespace, where pods mount it with their token.

Reads: Namespace, ConfigMap `kube-root-ca.crt`.  Writes: that ConfigMap.
"""

import dataclasses

from steersman.api import kinds
from steersman.controllers.decision import Create, Decision, Update
from steersman.meta import objects
from steersman.meta.objects import Object

NAME = "kube-root-ca.crt"
FIELD = "ca.crt"
DESCRIPTION = "kubernetes.io/description"
# Upstream's text: tools show it to users who wonder where the ConfigMap comes from.
TEXT = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    namespace: Object
    config_map: Object | None
    root_ca: str  # PEM


def decide(seen: Seen) -> Decision:
    if objects.is_terminating(seen.namespace):
        return Decision(why="the namespace is being deleted")
    data, annotations = {FIELD: seen.root_ca}, {DESCRIPTION: TEXT}
    found = seen.config_map
    if found is None:
        meta = {"name": NAME, "namespace": objects.name(seen.namespace), "annotations": annotations}
        new = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
        return Decision((Create(kinds.CONFIG_MAP, new),), "the ConfigMap is missing")
    if found.get("data") == data and objects.annotations(found).get(DESCRIPTION) == TEXT:
        return Decision(why="it is right")
    meta = {**found["metadata"], "annotations": {**objects.annotations(found), **annotations}}
    return Decision((Update(kinds.CONFIG_MAP, {**found, "metadata": meta, "data": data}),), "it was changed")
