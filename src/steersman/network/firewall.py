"""Let the cluster's packets through a firewall that the machine already has.

Docker and ufw set the policy of `ip filter FORWARD` or `INPUT` to drop: nodes would reach neither each other (bridged packets are
forwarded packets where br_netfilter is on), nor the API server, nor the world. No rule of another table can overrule that, so
where such a chain exists it gets one rule per direction, marked by the bridge's name. Reads and writes: these chains.
"""

import re

from steersman.network import libnftables

_CHAINS = {"INPUT": ("iifname",), "FORWARD": ("iifname", "oifname")}


def let_through(bridge: str) -> None:
    """Insert what is missing; chains that let everything through anyway are not touched. A name may end in `*`."""
    context = libnftables.Context()
    try:
        for chain, directions in _CHAINS.items():
            listing = _listing(context, chain)
            if "policy drop" not in listing:
                continue
            for direction in directions:
                rule = f'{direction} "{bridge}"'
                if rule not in listing:
                    context.run(f"insert rule ip filter {chain} {rule} counter accept\n")
    finally:
        context.close()


def forget(bridge: str) -> None:
    """Take our rules out again."""
    context = libnftables.Context()
    try:
        for chain in _CHAINS:
            for handle in re.findall(
                rf'name "{re.escape(bridge)}" counter .* accept # handle (\d+)', _listing(context, chain)
            ):
                context.run(f"delete rule ip filter {chain} handle {handle}\n")
    finally:
        context.close()


def _listing(context: libnftables.Context, chain: str) -> str:
    """Empty where there is no such chain."""
    try:
        return context.run(f"list chain ip filter {chain}\n", handles=True)
    except libnftables.Refused:
        return ""
