"""Which kinds the API server serves right now, for decisions that must not miss one that came a moment ago."""

import orjson

from steersman.api.kind import Kind
from steersman.client import requests
from steersman.client.client import Client
from steersman.serving.messages import Request

_ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


async def deletable_kinds(client: Client) -> list[Kind]:
    """Those of the named groups that are in namespaces and can be listed and deleted, in their preferred version.

    Raises StatusError.
    """
    response = await client.request(Request("GET", "/apis", headers={"accept": _ACCEPT}))
    if response.status != 200:
        raise requests.refusal(response.status, response.body, response.headers)
    found: dict[tuple[str, str], Kind] = {}
    for group in orjson.loads(response.body)["items"]:
        name = group["metadata"].get("name", "")
        for version in group["versions"]:
            for resource in version["resources"]:
                if resource["scope"] == "Namespaced" and {"list", "delete"} <= set(resource["verbs"]):
                    row = Kind(
                        name,
                        version["version"],
                        resource["responseKind"]["kind"],
                        resource["resource"],
                        resource["singularResource"],
                    )
                    found.setdefault((name, row.plural), row)
    return list(found.values())
