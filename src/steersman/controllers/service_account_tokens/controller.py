"""What the tokens controller watches and sees. Keys are those of Secrets; an account wakes all that name it."""

from collections.abc import Iterable

import orjson

from steersman.api import kinds
from steersman.client import requests
from steersman.client.cache import Caches
from steersman.controllers import live
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.controllers.service_account_tokens import decide
from steersman.controllers.service_account_tokens.decide import Seen
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.serving.messages import Request

_ACCOUNT = "token-of-account"


def controller(root_ca: str) -> Controller:
    async def observe(look: Look, key: str) -> Seen | None:
        secret = look.caches.of(kinds.SECRET).get(key)
        if secret is None or secret.get("type") != decide.TYPE:
            return None
        account = await _account(look, secret)
        token = await _token(look, secret, account) if decide.is_wanted(secret, account) else ""
        return Seen(secret, account, root_ca, token)

    return Controller(
        name="serviceaccount-token-controller",
        watches=(
            Watch(kinds.SECRET, lambda caches, obj: (objects.key(obj),), _is_token),
            Watch(kinds.SERVICE_ACCOUNT, keys_of_account, lambda old, new: old is None or new is None),
        ),
        observe=observe,
        decide=decide.decide,
        indexes=(Index(kinds.SECRET, _ACCOUNT, accounts_of),),
    )


def accounts_of(secret: Object) -> Iterable[str]:
    if secret.get("type") != decide.TYPE:
        return ()
    return (f"{objects.namespace(secret)}/{objects.annotations(secret).get(decide.ACCOUNT_NAME, '')}",)


def keys_of_account(caches: Caches, account: Object) -> Iterable[str]:
    return map(objects.key, caches.of(kinds.SECRET).by_index(_ACCOUNT, objects.key(account)))


async def _account(look: Look, secret: Object) -> Object | None:
    """Read live before a Secret is deleted for want of it."""
    [key] = accounts_of(secret)
    found = look.caches.of(kinds.SERVICE_ACCOUNT).get(key)
    if decide.belongs(secret, found):
        return found
    namespace, name = objects.split_key(key)
    return await live.get(look.client, kinds.SERVICE_ACCOUNT, name, namespace)


async def _token(look: Look, secret: Object, account: Object | None) -> str:
    """Empty where the API server signs no tokens."""
    assert account is not None
    bound = {"apiVersion": "v1", "kind": "Secret", "name": objects.name(secret), "uid": objects.uid(secret)}
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"boundObjectRef": bound, "expirationSeconds": decide.SECONDS},
    }
    place = f"/api/v1/namespaces/{objects.namespace(account)}/serviceaccounts/{objects.name(account)}/token"
    response = await look.client.request(Request("POST", place, body=orjson.dumps(body)))
    if response.status == 404:
        return ""
    if response.status >= 300:
        raise requests.refusal(response.status, response.body, response.headers)
    return str(orjson.loads(response.body)["status"]["token"])


def _is_token(old: Object | None, new: Object | None) -> bool:
    return new is not None and new.get("type") == decide.TYPE
