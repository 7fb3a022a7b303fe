"""What the API serves: legacy discovery (`/api`, `/apis`, `/api/v1`, …) and the aggregated form that kubectl ≥ 1.26 asks for.

Pure: tables of kinds in, documents out. Source: "API discovery" in the API concepts; KEP-3352.
"""

import base64
import hashlib
from collections.abc import Iterable

from steersman.api.kind import Kind
from steersman.meta.objects import Object

# Groups come in upstream's order of preference: what `kubectl get NAME` means when two groups have the same name.
_FIRST_GROUPS = ("", "apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io", "authorization.k8s.io")


def groups_of(kinds: Iterable[Kind]) -> dict[str, dict[str, list[Kind]]]:
    """group → version → kinds, preferred versions first."""
    found: dict[str, dict[str, list[Kind]]] = {}
    for kind in kinds:
        found.setdefault(kind.group, {}).setdefault(kind.version, []).append(kind)
    order = {group: index for index, group in enumerate(_FIRST_GROUPS)}
    groups = sorted(found, key=lambda group: (order.get(group, len(order)), group))
    return {
        group: {version: found[group][version] for version in sorted(found[group], key=version_priority)}
        for group in groups
    }


def version_priority(version: str) -> tuple[int, int, int, str]:
    """Sorts v2 before v1 before v1beta2 before v1alpha1 (CRD version priority)."""
    rest = version.removeprefix("v")
    for rank, word in enumerate(("beta", "alpha"), start=1):
        major, found, minor = rest.partition(word)
        if found and major.isdigit() and minor.isdigit():
            return rank, -int(major), -int(minor), ""
    return (0, -int(rest), 0, "") if rest.isdigit() else (3, 0, 0, version)


def api_versions(server_address: str) -> Object:
    """`/api`."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
    }


def api_group_list(kinds: Iterable[Kind]) -> Object:
    """`/apis`."""
    groups = [api_group(group, versions) for group, versions in groups_of(kinds).items() if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def api_group(group: str, versions: Iterable[str], *, alone: bool = False) -> Object:
    """`/apis/GROUP`, or one entry of `/apis`."""
    listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    start = {"kind": "APIGroup", "apiVersion": "v1"} if alone else {}
    return {**start, "name": group, "versions": listed, "preferredVersion": listed[0]}


def api_resource_list(group: str, version: str, kinds: Iterable[Kind]) -> Object:
    """`/api/v1` and `/apis/GROUP/VERSION`."""
    resources = []
    for kind in sorted(kinds, key=lambda kind: kind.plural):
        resources.append(_resource(kind))
        for sub in sorted(kind.subresources, key=lambda sub: sub.name):
            resource: Object = {
                "name": f"{kind.plural}/{sub.name}",
                "singularName": "",
                "namespaced": kind.namespaced,
                "kind": sub.kind,
                "verbs": sorted(sub.verbs),
            }
            if (sub.group, sub.version or version) != (group, version):
                resource |= {"group": sub.group, "version": sub.version}
            resources.append(resource)
    group_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def _resource(kind: Kind) -> Object:
    resource: Object = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": sorted(kind.verbs),
    }
    if kind.short_names:
        resource["shortNames"] = list(kind.short_names)
    if kind.categories:
        resource["categories"] = list(kind.categories)
    if "list" in kind.verbs:
        stored = kind.stored
        digest = hashlib.sha256(f"{stored.group}/{stored.version}/{stored.kind}".encode()).digest()
        resource["storageVersionHash"] = base64.b64encode(digest[:8]).decode()
    return resource


def aggregated(kinds: Iterable[Kind], *, core: bool, version: str) -> Object:
    """Everything in one document: of the core group for `/api`, of the named groups for `/apis`. `version`: v2, v2beta1."""
    groups = groups_of(kinds)
    items = [
        {
            "metadata": {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None},
            "versions": [
                {
                    "version": name,
                    "resources": [_aggregated_resource(kind) for kind in sorted(found, key=lambda kind: kind.plural)],
                    "freshness": "Current",
                }
                for name, found in versions.items()
            ],
        }
        for group, versions in groups.items()
        if (group == "") == core
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def _aggregated_resource(kind: Kind) -> Object:
    resource: Object = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": sorted(kind.verbs),
    }
    if kind.short_names:
        resource["shortNames"] = list(kind.short_names)
    if kind.categories:
        resource["categories"] = list(kind.categories)
    if kind.subresources:
        resource["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": {"group": sub.group, "version": sub.version or kind.version, "kind": sub.kind},
                "verbs": sorted(sub.verbs),
            }
            for sub in sorted(kind.subresources, key=lambda sub: sub.name)
        ]
    return resource
