"""Publish the authority that signs API servers' certificates as a ClusterTrustBundle: pods can mount it without a ConfigMap.

Reads: ClusterTrustBundles of the signer `kubernetes.io/kube-apiserver-serving`.  Writes: them; its own, and no other.
"""

import dataclasses
import hashlib
from collections.abc import Sequence

from steersman.api import kinds
from steersman.controllers import decision
from steersman.controllers.decision import Action, Create, Decision, Update
from steersman.meta import objects
from steersman.meta.objects import Object

SIGNER = "kubernetes.io/kube-apiserver-serving"


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`bundles` of the signer, whoever made them."""

    bundles: Sequence[Object]
    root_ca: str  # PEM


def decide(seen: Seen) -> Decision:
    name = bundle_name(seen.root_ca)
    found = next((one for one in seen.bundles if objects.name(one) == name), None)
    spec = {"signerName": SIGNER, "trustBundle": seen.root_ca}
    actions: list[Action] = []
    if found is None:
        new = {"apiVersion": "certificates.k8s.io/v1", "kind": "ClusterTrustBundle", "metadata": {"name": name}}
        actions.append(Create(kinds.CLUSTER_TRUST_BUNDLE, {**new, "spec": spec}))
    elif found.get("spec") != spec:
        actions.append(Update(kinds.CLUSTER_TRUST_BUNDLE, {**found, "spec": spec}))
    others = [one for one in seen.bundles if objects.name(one) != name]
    actions += [decision.delete(kinds.CLUSTER_TRUST_BUNDLE, one) for one in others]
    return Decision(tuple(actions), f"{len(others)} bundles of other authorities")


def bundle_name(root_ca: str) -> str:
    """With a part of its hash, so that a new authority has another name."""
    return f"{SIGNER.replace('/', ':')}:{hashlib.sha256(root_ca.encode()).hexdigest()[:24]}"
