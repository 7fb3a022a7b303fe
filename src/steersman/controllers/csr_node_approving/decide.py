"""Approve what a machine that is a node needs beside its client certificate: the kubelet's serving certificate, by which the API
server knows it, and the client certificate of the proxy beside it.

Upstream leaves both to people or to other approvers, because the names in a serving certificate have to be checked. Checked here:
a node asks, for itself; names and addresses are those of its Node, and no other Node's, nor the control plane's or a Service's: a
node chooses its name and address itself, and whoever trusts the authority would take it for them. The proxy's certificate is for
`system:kube-proxy` alone, without groups. Beyond that the sender needs the right to such a request, as for client certificates.

Reads: CertificateSigningRequest, Nodes.  Writes: its condition Approved (subresource approval).
Leaves to others: every other request, signing.
"""

import dataclasses
import ipaddress
from collections.abc import Collection, Iterable, Sequence

from steersman.api import certificate_requests, kinds
from steersman.api.certificate_requests import Wanted
from steersman.controllers.csr_approving.decide import Recognized, is_decided
from steersman.controllers.decision import Decision, Update
from steersman.meta import names, objects
from steersman.meta.objects import Object

PROXY = "system:kube-proxy"
_SERVICES = ".svc."  # in every name of a Service but the short ones
SERVING = Recognized("selfnodeserver", "Auto approving kubelet serving certificate after SubjectAccessReview.")
PROXYING = Recognized("nodeproxy", "Auto approving kube-proxy client certificate after SubjectAccessReview.")


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`is_allowed`: the sender has the right that `recognized` names. `nodes` are all. `guarded`: names, addresses and ranges that
    are others'."""

    request: Object
    is_allowed: bool
    nodes: Sequence[Object]
    guarded: Collection[str] = ()


def decide(seen: Seen) -> Decision:
    one = recognized(seen.request)
    if one is None or not seen.is_allowed:
        return Decision(why="not ours to decide")
    if one is SERVING:
        why = objection(_wanted(seen.request), seen.nodes, seen.guarded)
        if why:
            return Decision(why=why)
    status = seen.request.get("status") or {}
    told = {"type": "Approved", "status": "True", "reason": "AutoApproved", "message": one.message}
    approved = {**seen.request, "status": {**status, "conditions": [*(status.get("conditions") or ()), told]}}
    return Decision((Update(kinds.CERTIFICATE_SIGNING_REQUEST, approved, "approval"),), one.message)


def recognized(request: Object) -> Recognized | None:
    """What kind of request of a node it is, undecided and in the form its signer gives certificates for."""
    spec = request["spec"]
    if is_decided(request) or not _is_node(spec):
        return None
    signer = spec.get("signerName", "")
    try:
        wanted = _wanted(request)
    except certificate_requests.Malformed:
        return None
    if certificate_requests.refusal(signer, wanted, spec.get("usages") or ()):
        return None
    if signer == certificate_requests.KUBELET_SERVING:
        return SERVING if wanted.common_name == spec.get("username") else None
    if signer == certificate_requests.CLIENT:
        return PROXYING if wanted == Wanted(PROXY) else None
    return None


def objection(wanted: Wanted, nodes: Iterable[Object], guarded: Collection[str]) -> str:
    """What speaks against a serving certificate with these names; "" when nothing does."""
    name = wanted.common_name.removeprefix(certificate_requests.NODE_PREFIX)
    own: set[str] = set()
    others: set[str] = set()
    for node in nodes:
        is_own = objects.name(node) == name
        (own if is_own else others).update(_addresses(node), () if is_own else (objects.name(node),))
    asked = {*wanted.dns_names, *wanted.addresses}
    strange = asked - own - {name}
    if strange:
        return f"not of Node {name}: {', '.join(sorted(strange))}"
    shared = {*wanted.addresses, *(one for one in wanted.dns_names if one != name)} & others
    if shared:
        return f"another Node's: {', '.join(sorted(shared))}"
    kept = [one for one in wanted.dns_names if not _is_host_name(one) or is_guarded_name(one, guarded)]
    kept += [one for one in wanted.addresses if _is_guarded(one, guarded)]
    return f"not a node's: {', '.join(kept)}" if kept else ""


def _is_host_name(name: str) -> bool:
    """As nodes have them: one name, in small letters, and no address."""
    return not names.subdomain_errors(name) and not _is_range(name)


def is_guarded_name(name: str, guarded: Iterable[str]) -> bool:
    """Whether it is one of these, under a wildcard of these, or a Service's."""
    covering = {name, f"*.{name.partition('.')[2]}"}
    return _SERVICES in f"{name}." or any(one.lower() in covering for one in guarded)


def _is_guarded(address: str, guarded: Iterable[str]) -> bool:
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return True  # many clients take it for the IPv4 address
    return any(parsed in ipaddress.ip_network(one) for one in guarded if _is_range(one))


def _is_range(text: str) -> bool:
    """An address is one, too."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _is_node(spec: Object) -> bool:
    is_named = str(spec.get("username") or "").startswith(certificate_requests.NODE_PREFIX)
    return is_named and certificate_requests.NODES in (spec.get("groups") or ())


def _addresses(node: Object) -> list[str]:
    return [one.get("address", "") for one in (node.get("status") or {}).get("addresses") or ()]


def _wanted(request: Object) -> Wanted:
    return certificate_requests.parse(request["spec"].get("request", ""))
