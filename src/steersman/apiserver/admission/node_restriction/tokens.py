"""Which tokens a node may ask for: of the accounts of its pods, bound to such a pod, for whom that pod has use of one.

Reads: Pods, PersistentVolumeClaims, PersistentVolumes, CSIDrivers, rights.
Source: NodeRestriction with ServiceAccountNodeAudienceRestriction.
"""

from steersman.api import kinds
from steersman.apiserver import authorization, decoded
from steersman.apiserver.admission.node_restriction import pods
from steersman.apiserver.admission.plugin import Review
from steersman.apiserver.attributes import Attributes
from steersman.meta import errors, objects
from steersman.meta.objects import Object

MAY_ASK = "request-serviceaccounts-token-audience"  # the verb of a right to audiences (resources) for accounts (names)

# Volumes of the old kinds are a driver's by now (CSI migration).
_MIGRATED = {
    "awsElasticBlockStore": "ebs.csi.aws.com",
    "azureDisk": "disk.csi.azure.com",
    "azureFile": "file.csi.azure.com",
    "cinder": "cinder.csi.openstack.org",
    "gcePersistentDisk": "pd.csi.storage.gke.io",
    "portworxVolume": "pxd.portworx.com",
    "vsphereVolume": "csi.vsphere.vmware.com",
}


class _Unknown(Exception):
    """An object that says who has use of a token is not there."""


async def refusal(
    node: str, review: Review, stored: decoded.DecodedObjects, authorizer: authorization.Authorizer
) -> str:
    """Why the node gets no such token; "" when it does. Raises StatusError 404."""
    spec = review.new.get("spec") or {}
    reference = spec.get("boundObjectRef") or {}
    if (reference.get("apiVersion"), reference.get("kind")) != ("v1", "Pod") or not reference.get("name"):
        return "node requested token not bound to a pod"
    uid = reference.get("uid")
    if not uid:
        return "node requested token with a pod binding without a uid"
    pod = await stored.get(kinds.POD, review.namespace, reference["name"])
    if pod is None:
        raise errors.not_found("pod", reference["name"])
    if uid != objects.uid(pod):
        recreated = "The object might have been deleted and then recreated"
        return f"the UID in the bound object reference ({uid}) does not match the UID in record. {recreated}"
    if pods.node_of(pod) != node:
        return "node requested token bound to a pod scheduled on a different node"
    return await _of_audience(review, spec.get("audiences") or [], pod, stored, authorizer)


async def _of_audience(
    review: Review,
    audiences: list[str],
    pod: Object,
    stored: decoded.DecodedObjects,
    authorizer: authorization.Authorizer,
) -> str:
    if len(audiences) > 1:
        return "node may only request 0 or 1 audiences"
    audience = "".join(audiences)
    unknown: list[str] = []
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        try:
            if audience in await _audiences(volume, pod, stored):
                return ""
        except _Unknown as why:
            unknown.append(str(why))
    if unknown:
        joined = ", ".join(dict.fromkeys(unknown))
        return f'error validating audience "{audience}": {joined if len(set(unknown)) == 1 else f"[{joined}]"}'
    user, account = review.call.user, review.call.target.name
    if authorizer.allows(user, Attributes(MAY_ASK, "", "v1", audience, review.namespace, account)):
        return ""
    not_allowed = f"{user.name} is not authorized to request tokens for this audience"
    return f'audience "{audience}" not found in pod spec volume, {not_allowed}'


async def _audiences(volume: Object, pod: Object, stored: decoded.DecodedObjects) -> list[str]:
    """Whom tokens in this volume, or of its driver, are for. Raises _Unknown."""
    sources = (volume.get("projected") or {}).get("sources") or ()
    tokens = [one["serviceAccountToken"] for one in sources if one.get("serviceAccountToken") is not None]
    name = await _driver(volume, pod, stored)
    if name:
        driver = await stored.get(kinds.CSI_DRIVER, "", name)
        if driver is None:
            raise _Unknown(f'csidriver.storage.k8s.io "{name}" not found')
        tokens += (driver.get("spec") or {}).get("tokenRequests") or ()
    return [str(token.get("audience") or "") for token in tokens]


async def _driver(volume: Object, pod: Object, stored: decoded.DecodedObjects) -> str:
    """The CSI driver that makes the volume; "" for all others. Raises _Unknown."""
    if (volume.get("ephemeral") or {}).get("volumeClaimTemplate") is not None:
        return await _of_claim(objects.namespace(pod), f"{objects.name(pod)}-{volume['name']}", stored)
    claim = volume.get("persistentVolumeClaim")
    if claim is not None:
        return await _of_claim(objects.namespace(pod), claim.get("claimName", ""), stored)
    return _named(volume)


async def _of_claim(namespace: str, name: str, stored: decoded.DecodedObjects) -> str:
    claim = await stored.get(kinds.PERSISTENT_VOLUME_CLAIM, namespace, name)
    if claim is None:
        raise _Unknown(f'persistentvolumeclaim "{name}" not found')
    bound = (claim.get("spec") or {}).get("volumeName") or ""
    volume = await stored.get(kinds.PERSISTENT_VOLUME, "", bound) if bound else None
    if volume is None:
        raise _Unknown(f'persistentvolume "{bound}" not found')
    return _named(volume.get("spec") or {})


def _named(source: Object) -> str:
    csi = source.get("csi")
    if csi is not None:
        return str(csi.get("driver") or "")
    return next((driver for kind, driver in _MIGRATED.items() if source.get(kind) is not None), "")
