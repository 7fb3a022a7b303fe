"""Which certificates a node may ask for: its own, and those of pods that it runs.

Reads: Nodes, Pods, ServiceAccounts, rights. Source: NodeRestriction; "Pod certificates" (KEP-4317).
"""

from steersman.api import certificate_requests, kinds
from steersman.api.kind import Kind
from steersman.apiserver import authorization, decoded
from steersman.apiserver.admission.node_restriction import pods
from steersman.apiserver.admission.plugin import Review
from steersman.apiserver.attributes import Attributes
from steersman.meta import errors, objects
from steersman.meta.objects import Object

MAY_ASK = (
    "request-serviceaccounts-podcertificate-signer"  # the verb of a right to signers (resources) for accounts (names)
)

_OF_NODES = (certificate_requests.KUBELET_SERVING, certificate_requests.KUBELET_CLIENT)


def of_node(node: str, request: Object) -> str:
    """Why it may not ask for this by a CertificateSigningRequest; "" when it may. Others of its fields are for the signer."""
    spec = request.get("spec") or {}
    if spec.get("signerName") not in _OF_NODES:
        return ""
    try:
        wanted = certificate_requests.parse(spec.get("request") or "")
    except certificate_requests.Malformed as why:
        return f"unable to parse csr: {why}"
    name = f"system:node:{node}"
    return "" if wanted.common_name == name else f"can only create a node CSR with CN={name}"


async def of_pod(
    node: str, review: Review, stored: decoded.DecodedObjects, authorizer: authorization.Authorizer
) -> str:
    """Why it may not ask for this by a PodCertificateRequest; "" when it may. Raises StatusError 500 where that may be true in a
    moment."""
    spec, namespace = review.new.get("spec") or {}, review.namespace
    named, pod_name, account_name = (spec.get(one) or "" for one in ("nodeName", "podName", "serviceAccountName"))
    its_pod = f'PodCertificateRequest for pod "{namespace}/{pod_name}"'
    if named != node:
        return f'PodCertificateRequest.Spec.NodeName="{named}", which is not the requesting node "{node}"'

    found = await _get(stored, kinds.NODE, "", node)
    if objects.uid(found) != spec.get("nodeUID", ""):
        why = f'{its_pod} names node UID "{spec.get("nodeUID", "")}", inconsistent with the running node'
        raise _unknown(f'{why} ("{objects.uid(found)}")')
    pod = await _get(stored, kinds.POD, namespace, pod_name)
    if objects.uid(pod) != spec.get("podUID", ""):
        why = f'{its_pod} contains pod UID ("{spec.get("podUID", "")}") which differs from running pod'
        raise _unknown(f'{why} "{objects.uid(pod)}"')
    if pods.node_of(pod) != node:
        return f'pod "{namespace}/{pod_name}" is not running on node "{node}" named in the PodCertificateRequest'
    if pods.MIRROR in objects.annotations(pod):
        return f'pod "{namespace}/{pod_name}" is a mirror pod'

    runs_as = (pod.get("spec") or {}).get("serviceAccountName") or ""
    if account_name != runs_as:
        return f'{its_pod} contains serviceAccountName ("{account_name}") that differs from running pod ("{runs_as}")'
    account = await _get(stored, kinds.SERVICE_ACCOUNT, namespace, account_name)
    if objects.uid(account) != spec.get("serviceAccountUID", ""):
        why = (
            f'{its_pod} names service account UID "{spec.get("serviceAccountUID", "")}", which differs from the running'
        )
        raise _unknown(f'{why} service account ("{objects.uid(account)}")')
    return _of_signer(review, spec.get("signerName") or "", pod, account_name, authorizer)


def _of_signer(review: Review, signer: str, pod: Object, account: str, authorizer: authorization.Authorizer) -> str:
    """The pod asks for certificates of this signer, or the node was given a right to."""
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    sources = (one for volume in volumes for one in (volume.get("projected") or {}).get("sources") or ())
    if any((source.get("podCertificate") or {}).get("signerName") == signer for source in sources):
        return ""
    user, resource = review.call.user, signer.replace("/", ":")
    if authorizer.allows(user, Attributes(MAY_ASK, "certificates.k8s.io", "*", resource, review.namespace, account)):
        return ""
    not_allowed = f"{user.name} is not authorized to request certificates from this signer"
    return f'signer "{signer}" not found in pod spec volume, {not_allowed}'


async def _get(stored: decoded.DecodedObjects, kind: Kind, namespace: str, name: str) -> Object:
    """Raises StatusError 500."""
    found = await stored.get(kind, namespace, name)
    if found is None:
        what = "service account" if kind is kinds.SERVICE_ACCOUNT else kind.singular
        place = f"{namespace}/{name}" if namespace else name
        why = f'while retrieving {what} "{place}" named in the PodCertificateRequest'
        raise _unknown(f'{why}: {kind.singular} "{name}" not found')
    return found


def _unknown(why: str) -> errors.StatusError:
    """Told without a reason: not refused, for it may only be that one of several servers has not heard of it yet."""
    status = errors.status(500, "InternalError", why)
    del status["reason"]
    return errors.StatusError(status)
