"""Which kinds the API server serves right now, for decisions that must not miss one that came a moment ago."""

import orjson

from steersman.api.kind import Kind
from steersman.client import requests
from steersman.client.client import Client
from steersman.meta.objects import Object
from steersman.serving.messages import Request

_ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


async def deletable_kinds(client: Client) -> tuple[list[Kind], list[str]]:
    """Those of the named groups that are in namespaces and can be listed and deleted, in their preferred version; and the
    groups and versions of which that cannot be told now, because the extension server that has them does not answer.

    Raises StatusError.
    """
    found: dict[tuple[str, str], Kind] = {}
    groups = await _groups(client, "/apis")
    stale = [
        f"{group['metadata']['name']}/{version['version']}"
        for group in groups
        for version in group["versions"]
        if version.get("freshness") == "Stale"
    ]
    for row in _rows_of(groups):
        if row.namespaced and {"list", "delete"} <= set(row.verbs) and row.api_version not in stale:
            found.setdefault((row.group, row.plural), row)
    return list(found.values()), stale


async def kind_of(client: Client, group: str, plural: str) -> Kind | None:
    """A resource in its preferred version, None where it is not served. Raises StatusError."""
    rows = await _rows(client, "/apis" if group else "/api")
    return next((row for row in rows if (row.group, row.plural) == (group, plural)), None)


async def _rows(client: Client, path: str) -> list[Kind]:
    """What discovery says of each resource in each version, preferred versions first."""
    return _rows_of(await _groups(client, path))


async def _groups(client: Client, path: str) -> list[Object]:
    response = await client.request(Request("GET", path, headers={"accept": _ACCEPT}))
    if response.status != 200:
        raise requests.refusal(response.status, response.body, response.headers)
    found: list[Object] = orjson.loads(response.body)["items"]
    return found


def _rows_of(groups: list[Object]) -> list[Kind]:
    return [
        Kind(
            group["metadata"].get("name", ""),
            version["version"],
            resource["responseKind"]["kind"],
            resource["resource"],
            resource["singularResource"],
            namespaced=resource["scope"] == "Namespaced",
            verbs=tuple(resource["verbs"]),
        )
        for group in groups
        for version in group["versions"]
        for resource in version.get("resources") or ()
    ]
