"""Sign what the cluster tells everybody of itself, once with each bootstrap token: who has the token knows that it was not forged.

Reads: ConfigMap kube-public/cluster-info, bootstrap tokens.  Writes: `jws-kubeconfig-ID` in that ConfigMap.
Leaves to others: making the ConfigMap (the API server's start), removing expired tokens (token_cleaner).
"""

import dataclasses
import datetime
from collections.abc import Sequence

from steersman.api import bootstrap_tokens, kinds
from steersman.controllers import decision
from steersman.controllers.decision import Decision
from steersman.meta import objects
from steersman.meta.objects import Object

NAMESPACE, NAME = "kube-public", "cluster-info"
CONTENT = "kubeconfig"
PREFIX = "jws-kubeconfig-"


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    config_map: Object
    tokens: Sequence[Object]
    now: datetime.datetime


def decide(seen: Seen) -> Decision:
    data = seen.config_map.get("data") or {}
    if CONTENT not in data:
        return Decision(why="nothing to sign")
    good = sorted((one for one in seen.tokens if bootstrap_tokens.signs(one, seen.now)), key=objects.name)
    wanted = {f"{PREFIX}{bootstrap_tokens.read(one, 'token-id')}": _signature(data[CONTENT], one) for one in good}
    ends = (bootstrap_tokens.expiration(one) for one in good)
    again = decision.earliest(*((end - seen.now).total_seconds() for end in ends if end is not None))
    present = {key: value for key, value in data.items() if key.startswith(PREFIX)}
    why = f"{len(good)} tokens sign"
    if present == wanted:
        return Decision(why=why, again_after_seconds=again)
    body = {"data": {**dict.fromkeys(present), **wanted}}
    return Decision((decision.patch(kinds.CONFIG_MAP, seen.config_map, body),), why, again)


def _signature(content: str, token: Object) -> str:
    return bootstrap_tokens.signature(
        content, bootstrap_tokens.read(token, "token-id"), bootstrap_tokens.read(token, "token-secret")
    )
