"""projected clusterTrustBundle: certificates of authorities, one bundle by name or all of a signer that are selected.

Each certificate once, in an order of no meaning (theirs here, so that nothing changes without need). Source: KEP-3257.
"""

import re

from steersman.kubelet.volumes.payload import File
from steersman.kubelet.volumes.volume import Context, MountError
from steersman.meta import objects, selectors
from steersman.meta.objects import Object

KIND = "ClusterTrustBundle"
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


async def files_of(source: Object, mode: int, context: Context) -> dict[str, File]:
    """Raises MountError, references.Unavailable."""
    bundles = await (_named(source, context) if source.get("name") else _of_signer(source, context))
    texts = [str((one.get("spec") or {}).get("trustBundle", "")) for one in bundles]
    return {source["path"]: File(normalized(texts).encode(), mode)}


def normalized(texts: list[str]) -> str:
    """The certificates alone, without what stands between them."""
    blocks = (block for text in texts for block in _BLOCK.findall(text))
    return "".join(f"{block}\n" for block in dict.fromkeys(blocks))


async def _named(source: Object, context: Context) -> list[Object]:
    found = await context.references.get(KIND, "", source["name"])
    if found is None and not source.get("optional"):
        raise MountError(f'clustertrustbundles.certificates.k8s.io "{source["name"]}" not found')
    return [found] if found is not None else []


async def _of_signer(source: Object, context: Context) -> list[Object]:
    """Without a selector none is meant, with an empty one all."""
    signer, selector = source.get("signerName", ""), source.get("labelSelector")
    listed = await context.references.list(KIND, f"spec.signerName={signer}") if selector is not None else []
    chosen = [one for one in listed if selectors.object_matches(selector, objects.labels(one))]
    if not chosen and not source.get("optional"):
        raise MountError("combination of signerName and labelSelector matched zero ClusterTrustBundles")
    return sorted(chosen, key=objects.name)
