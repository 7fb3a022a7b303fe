"""What the approver of nodes' further certificates watches and sees: Nodes, too, for a request may come before its Node has
addresses."""

from collections.abc import Collection, Iterable

from steersman.api import certificate_requests, kinds
from steersman.client.cache import Caches
from steersman.controllers.csr_approving import controller as csr_approving
from steersman.controllers.csr_approving.decide import is_decided
from steersman.controllers.csr_node_approving import decide
from steersman.controllers.csr_node_approving.decide import Seen
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.meta import objects
from steersman.meta.objects import Object

_OPEN = "undecided-by-sender"


def controller(guarded: Collection[str] = ()) -> Controller:
    """`guarded`: names, addresses and ranges that no node gets a certificate for."""

    async def observe(look: Look, key: str) -> Seen | None:
        request = look.caches.of(kinds.CERTIFICATE_SIGNING_REQUEST).get(key)
        if request is None:
            return None
        one = decide.recognized(request)
        is_allowed = one is not None and await csr_approving.may(look, request["spec"], one.subresource)
        nodes = look.caches.of(kinds.NODE).list() if one is decide.SERVING else ()
        return Seen(request, is_allowed, nodes, guarded)

    return Controller(
        name="certificatesigningrequest-node-approving-controller",
        watches=(
            Watch(kinds.CERTIFICATE_SIGNING_REQUEST, lambda caches, obj: (objects.key(obj),)),
            Watch(kinds.NODE, _requests_of, _has_moved),
        ),
        observe=observe,
        decide=decide.decide,
        indexes=(Index(kinds.CERTIFICATE_SIGNING_REQUEST, _OPEN, _sender),),
    )


def _sender(request: Object) -> Iterable[str]:
    return () if is_decided(request) else (str(request["spec"].get("username") or ""),)


def _requests_of(caches: Caches, node: Object) -> Iterable[str]:
    sender = f"{certificate_requests.NODE_PREFIX}{objects.name(node)}"
    waiting = caches.of(kinds.CERTIFICATE_SIGNING_REQUEST).by_index(_OPEN, sender)
    return [objects.key(one) for one in waiting]


def _has_moved(old: Object | None, new: Object | None) -> bool:
    """Heartbeats come every second."""
    if old is None or new is None:
        return True
    return bool((old.get("status") or {}).get("addresses") != (new.get("status") or {}).get("addresses"))
