"""Fill Secrets of type `kubernetes.io/service-account-token` with a token of their account, and delete them with it.

Reads: Secret, ServiceAccount.  Writes: Secret data (`token`, `ca.crt`, `namespace`) and the uid of the account; deletes Secrets.
Leaves to others: signing. The API server does it (TokenRequest, bound to the Secret), so that the key never leaves it; upstream's
controller has the key and signs itself. The token is good as long as its Secret is there.
"""

import base64
import dataclasses

from steersman.api import kinds
from steersman.controllers import decision
from steersman.controllers.decision import Decision
from steersman.meta import objects
from steersman.meta.objects import Object

TYPE = "kubernetes.io/service-account-token"
ACCOUNT_NAME = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"
SECONDS = (1 << 32) - 1  # the longest a token can be asked for


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`token` is a new one where one `is_wanted` and could be had. `account` is the live one, None where there is none."""

    secret: Object
    account: Object | None
    root_ca: str
    token: str = ""


def decide(seen: Seen) -> Decision:
    if objects.is_terminating(seen.secret):
        return Decision(why="being deleted")
    if not belongs(seen.secret, seen.account):
        return Decision((decision.delete(kinds.SECRET, seen.secret),), "its account is gone")
    assert seen.account is not None
    data = wanted_data(seen.secret, seen.root_ca, seen.token)
    uid = objects.uid(seen.account)
    change: Object = {"data": data} if data else {}
    if objects.annotations(seen.secret).get(ACCOUNT_UID) != uid:
        change["metadata"] = {"annotations": {ACCOUNT_UID: uid}}
    if not change:
        return Decision(why="complete")
    return Decision(
        (decision.patch(kinds.SECRET, seen.secret, change),), f"misses {', '.join(sorted(data)) or 'the uid'}"
    )


def is_wanted(secret: Object, account: Object | None) -> bool:
    """Whether a token must be made."""
    return belongs(secret, account) and not (secret.get("data") or {}).get("token")


def wanted_data(secret: Object, root_ca: str, token: str) -> dict[str, str]:
    """What its data lack, or say wrongly; of the token only that it is there."""
    present = secret.get("data") or {}
    wanted = {"namespace": objects.namespace(secret)}
    if root_ca:
        wanted["ca.crt"] = root_ca
    if token and not present.get("token"):
        wanted["token"] = token
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in wanted.items()}
    return {name: text for name, text in encoded.items() if present.get(name) != text}


def belongs(secret: Object, account: Object | None) -> bool:
    """Whether it is the account the Secret was made for, and not a later one of the same name."""
    if account is None:
        return False
    uid = objects.annotations(secret).get(ACCOUNT_UID)
    return not uid or uid == objects.uid(account)
