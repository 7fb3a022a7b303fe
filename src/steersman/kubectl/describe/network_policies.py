"""Network policies: whom they select, and what they let in and out."""

from collections.abc import Sequence

from steersman.kubectl.describe.writing import (
    NONE,
    Description,
    annotations,
    labels,
    metadata,
    name,
    selector_text,
    spec,
)
from steersman.meta import times
from steersman.meta.objects import Object

_INDENT = "    "


def network_policy(d: Description, obj: Object) -> None:
    name(d, obj)
    made = metadata(obj).get("creationTimestamp")
    created = times.parse(made).astimezone(d.seen.zone) if made else None
    d.row(0, "Created on:", f"{created:%Y-%m-%d %H:%M:%S %z %Z}" if created else "0001-01-01 00:00:00 +0000 UTC")
    labels(d, "Labels", metadata(obj).get("labels"))
    annotations(d, "Annotations", metadata(obj).get("annotations"))
    _specification(d, spec(obj))


def _specification(d: Description, wanted: Object) -> None:
    d.write(0, "Spec:\n")
    selector = wanted.get("podSelector") or {}
    if selector.get("matchLabels") or selector.get("matchExpressions"):
        text = selector_text(selector)
    else:
        text = f"{NONE} (Allowing the specific traffic to all pods in this namespace)"
    d.write(1, f"PodSelector:     {text}\n")
    types = wanted.get("policyTypes") or []
    for direction, rules, word in (("Ingress", "ingress", "From"), ("Egress", "egress", "To")):
        if direction in types:
            d.write(1, f"Allowing {rules} traffic:\n")
            _rules(d, wanted.get(rules) or [], rules, word)
        else:
            d.write(1, f"Not affecting {rules} traffic\n")
    d.write(1, f"Policy Types: {', '.join(types) or NONE}\n")


def _rules(d: Description, rules: Sequence[Object], direction: str, word: str) -> None:
    if not rules:
        d.write(0, f"{_INDENT}{NONE} (Selected pods are isolated for {direction} connectivity)\n")
    for at, rule in enumerate(rules):
        _ports(d, rule.get("ports") or ())
        peers = rule.get(word.lower()) or ()
        if not peers:
            end = "source" if word == "From" else "destination"
            d.write(0, f"{_INDENT}{word}: <any> (traffic not restricted by {end})\n")
        for peer in peers:
            d.write(0, f"{_INDENT}{word}:\n")
            _peer(d, peer)
        if at < len(rules) - 1:
            d.write(0, f"{_INDENT}----------\n")


def _ports(d: Description, ports: Sequence[Object]) -> None:
    if not ports:
        d.write(0, f"{_INDENT}To Port: <any> (traffic allowed to all ports)\n")
    for one in ports:
        port, protocol = one.get("port", "<nil>"), one.get("protocol") or "TCP"
        if one.get("endPort") is None:
            d.write(0, f"{_INDENT}To Port: {port}/{protocol}\n")
        else:
            d.write(0, f"{_INDENT}To Port Range: {port}-{one['endPort']}/{protocol}\n")


def _peer(d: Description, peer: Object) -> None:
    found = False
    for title, key in (("NamespaceSelector", "namespaceSelector"), ("PodSelector", "podSelector")):
        if peer.get(key) is not None:
            found = True
            d.write(1, f"{_INDENT}{title}: {selector_text(peer[key])}\n")
    block = peer.get("ipBlock")
    if not found and block is not None:
        d.write(1, f"{_INDENT}IPBlock:\n")
        d.write(2, f"{_INDENT}CIDR: {block.get('cidr', '')}\n")
        d.write(2, f"{_INDENT}Except: {', '.join(block.get('except') or ())}\n")
