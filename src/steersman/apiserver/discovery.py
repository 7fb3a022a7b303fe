"""What the API serves: legacy discovery (`/api`, `/apis`, `/api/v1`, …) and the aggregated form that kubectl ≥ 1.26 asks for.

Pure: tables of kinds in, documents out. Source: "API discovery" in the API concepts; KEP-3352.
"""

import base64
import hashlib
from collections.abc import Callable, Collection, Iterable

from steersman.api.kind import Kind
from steersman.apiserver.aggregation import priorities
from steersman.meta.objects import Object

Place = tuple[str, str]  # group, version
Priority = Callable[[Place], tuple[int, int]]  # of the group, and of the version in it
Groups = dict[str, dict[str, list[Kind]]]  # group → version → kinds


def _builtin(place: Place) -> tuple[int, int]:
    return priorities.builtin(*place)


def groups_of(kinds: Iterable[Kind], places: Iterable[Place] = (), priority: Priority = _builtin) -> Groups:
    """Preferred groups and versions first. `places` are there also when nothing is known to be in them."""
    found: Groups = {}
    custom: set[Place] = set()
    for group, version in places:
        found.setdefault(group, {})[version] = []
    for kind in kinds:
        found.setdefault(kind.group, {}).setdefault(kind.version, []).append(kind)
        if kind.custom is not None:
            custom.add((kind.group, kind.version))

    def of(place: Place) -> tuple[int, int]:
        return priorities.CUSTOM if place in custom else priority(place)

    def group_order(group: str) -> tuple[bool, bool, int, str]:
        return group != "", group != priorities.FIRST, -max(of((group, version))[0] for version in found[group]), group

    def version_order(group: str, version: str) -> tuple[object, ...]:
        return -of((group, version))[1], version_priority(version)

    return {
        group: dict(sorted(found[group].items(), key=lambda item: version_order(group, item[0])))
        for group in sorted(found, key=group_order)
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


def api_group_list(served: Groups) -> Object:
    """`/apis`."""
    groups = [api_group(group, versions) for group, versions in served.items() if group]
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


def aggregated(served: Groups, *, core: bool, version: str, stale: Collection[Place] = ()) -> Object:
    """Everything in one document: of the core group for `/api`, of the named groups for `/apis`. `version`: v2, v2beta1.

    `stale`: what is said of them is what was known last."""
    items = [
        {
            "metadata": {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None},
            "versions": [
                {
                    "version": name,
                    "resources": [_aggregated_resource(kind) for kind in sorted(found, key=lambda kind: kind.plural)],
                    "freshness": "Stale" if (group, name) in stale else "Current",
                }
                for name, found in versions.items()
            ],
        }
        for group, versions in served.items()
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
