"""What was typed after `steersman join`: where the cluster is, and how it and this machine come to trust each other. Pure."""

import dataclasses
from collections.abc import Sequence

from steersman.cluster.join import discovery
from steersman.cluster.join.discovery import Token


@dataclasses.dataclass(frozen=True, slots=True)
class Invitation:
    """`server` "" and `token` None where they were not given. `pins`: hashes of the key of the cluster's authority; without any,
    whoever knows the token is believed if `unpinned` says so."""

    server: str = ""
    token: Token | None = None
    pins: tuple[str, ...] = ()
    unpinned: bool = False


def parse(url: str, token: str, pins: Sequence[str], *, unpinned: bool) -> Invitation:
    """Raises ValueError."""
    return Invitation(
        discovery.parse_url(url) if url else "",
        discovery.parse_token(token) if token else None,
        tuple(map(discovery.parse_pin, pins)),
        unpinned,
    )


def lacking(found: Invitation) -> str:
    """Why nobody can join by it; "" when one can."""
    if not found.server or found.token is None:
        return (
            "This machine has joined no cluster yet: name its URL and a --token "
            "(there: steersman token create --print-join-command)."
        )
    if not found.pins and not found.unpinned:
        return (
            "Without --ca-cert-hash anybody who knows the token could pass for the cluster: give it, or say "
            "--discovery-token-unsafe-skip-ca-verification."
        )
    return ""


def to_another(found: Invitation, node: str, server: str, pin: str) -> str:
    """What to say when it is not to the cluster that this machine is `node` of; "" when it is. The authority's key, `pin`, tells,
    where hashes were given: a cluster may move, and another one may be made in its place."""
    is_same = pin in found.pins if found.pins else found.server in ("", server)
    if is_same:
        return ""
    return (
        f"This machine is node {node} of {server}, whose authority has the key {pin}: `steersman down --purge` forgets that, "
        "then it can join another cluster."
    )
