"""What a Secret for an account's token holds, and when it goes."""

import base64
from typing import Any

import pytest

from steersman import controllers
from steersman.api import kinds
from steersman.controllers.decision import Delete
from steersman.controllers.service_account_tokens import decide
from steersman.controllers.service_account_tokens.decide import Seen
from tests.controllers import paper

ACCOUNT = {"metadata": {"name": "a", "namespace": "default", "uid": "1"}}


def encoded(text):
    return base64.b64encode(text.encode()).decode()


FULL = {"token": encoded("t"), "namespace": encoded("default"), "ca.crt": encoded("CA")}


def secret(uid="", **data):
    annotations = {decide.ACCOUNT_NAME: "a"} | ({decide.ACCOUNT_UID: uid} if uid else {})
    meta = {"name": "s", "namespace": "default", "uid": "s", "resourceVersion": "1", "annotations": annotations}
    return {"metadata": meta, "type": decide.TYPE, "data": data}


def decided(found, account=ACCOUNT, token="new") -> Any:
    """What is written: "gone", the patch, or None."""
    actions: Any = decide.decide(Seen(found, account, "CA", token)).actions
    if not actions:
        return None
    return "gone" if isinstance(actions[0], Delete) else actions[0].patch


UID = {"annotations": {decide.ACCOUNT_UID: "1"}}
CASES: dict[str, tuple[Any, ...]] = {
    "empty": (secret(), ACCOUNT, {"data": FULL | {"token": encoded("new")}, "metadata": UID}),
    "complete": (secret("1", **FULL), ACCOUNT, None),
    "another authority": (secret("1", **FULL | {"ca.crt": "eA=="}), ACCOUNT, {"data": {"ca.crt": encoded("CA")}}),
    "no account": (secret("1", **FULL), None, "gone"),
    "a later account of the name": (secret("0", **FULL), ACCOUNT, "gone"),
}


@pytest.mark.parametrize(("found", "account", "expect"), CASES.values(), ids=CASES.keys())
def test_secrets(found, account, expect):
    assert decided(found, account) == expect


def test_a_token_is_made_once():
    assert decide.is_wanted(secret(), ACCOUNT)
    assert not decide.is_wanted(secret("1", **FULL), ACCOUNT)
    assert not decide.is_wanted(secret(), None)


def test_the_token_lives_with_its_secret_and_its_account():
    async def story():
        async with paper.cluster(controllers.Options(root_ca="CA"), token_key=True) as cluster:
            await cluster.create(kinds.SERVICE_ACCOUNT, {"metadata": {"name": "a", "namespace": "default"}})
            made = secret()
            for field in ("uid", "resourceVersion"):
                del made["metadata"][field]
            await cluster.create(kinds.SECRET, made)
            await cluster.settle(1)
            data = (await cluster.get(kinds.SECRET, "s"))["data"]
            token = base64.b64decode(data["token"]).decode()
            authenticator = cluster.server.authenticator
            audiences = (cluster.server.options.issuer,)
            user = await authenticator.user_of_token(token, audiences)
            assert user is not None
            assert user.name == "system:serviceaccount:default:a"
            await cluster.settle(1)
            labels = (await cluster.get(kinds.SECRET, "s"))["metadata"]["labels"]
            assert labels["kubernetes.io/legacy-token-last-used"] == cluster.clock.now().date().isoformat()
            await cluster.delete(kinds.SERVICE_ACCOUNT, "a")
            await cluster.settle(1)
            assert await cluster.all(kinds.SECRET) == []
            assert await authenticator.user_of_token(token, audiences) is None

    paper.run(story)
