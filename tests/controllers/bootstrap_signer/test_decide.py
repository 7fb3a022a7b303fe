"""Which tokens sign what the cluster tells of itself."""

import base64
import datetime

import pytest

from steersman.api import bootstrap_tokens, kinds
from steersman.controllers.bootstrap_signer import decide
from steersman.controllers.bootstrap_signer.decide import Seen
from steersman.controllers.decision import Patch
from steersman.meta import times
from tests.controllers import paper, shapes

# Upstream's own example: the payload, a token, and the signature computed by go-jose.
CONTENT = "Hello from the other side. I must have called a thousand times."
SIGNATURE = "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8"


def token(name="bootstrap-token-abcdef", **fields):
    said = {"token-id": "abcdef", "token-secret": "secret", "usage-bootstrap-signing": "true"}
    said |= {key.replace("_", "-"): value for key, value in fields.items()}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in said.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "kube-system", "uid": "u"},
        "type": bootstrap_tokens.TYPE,
        "data": data,
    }


def config_map(**data):
    meta = {"name": decide.NAME, "namespace": decide.NAMESPACE, "uid": "m", "resourceVersion": "1"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def patches(decision):
    return [action.patch for action in decision.actions if isinstance(action, Patch)]


def test_a_signature_is_the_one_that_go_jose_computes():
    assert bootstrap_tokens.signature(CONTENT, "joshua", "my voice is my passcode") == SIGNATURE


CASES = {
    "good": (token(), True),
    "ends later": (token(expiration="2026-01-01T12:00:10Z"), True),
    "has ended": (token(expiration="2026-01-01T11:59:59Z"), False),
    "ends nobody knows when": (token(expiration="soon"), False),
    "for authentication only": (token(usage_bootstrap_signing="false"), False),
    "no secret": (token(token_secret=""), False),
    "of another name": (token("bootstrap-token-fedcba"), False),
    "of a form that is none": (token("bootstrap-token-ABC", token_id="ABC"), False),
}


@pytest.mark.parametrize(("secret", "signs"), CASES.values(), ids=CASES.keys())
def test_tokens(secret, signs):
    decision = decide.decide(Seen(config_map(kubeconfig="x"), [secret], shapes.NOW))
    assert patches(decision) == ([{"data": {"jws-kubeconfig-abcdef": SIGNED}}] if signs else [])


SIGNED = bootstrap_tokens.signature("x", "abcdef", "secret")


def test_signatures_that_are_right_stay_and_others_go():
    there = config_map(kubeconfig="x", **{"jws-kubeconfig-abcdef": SIGNED})
    later = shapes.NOW + datetime.timedelta(seconds=30)
    decision = decide.decide(Seen(there, [token(expiration=times.format_seconds(later))], shapes.NOW))
    assert (decision.actions, decision.again_after_seconds) == ((), 30.0)
    assert patches(decide.decide(Seen(there, [], shapes.NOW))) == [{"data": {"jws-kubeconfig-abcdef": None}}]


def test_without_content_nothing_is_signed():
    assert decide.decide(Seen(config_map(other="x"), [token()], shapes.NOW)).actions == ()


def test_tokens_that_come_and_go_and_a_content_that_changes():
    """Upstream's e2e test of bootstrap tokens."""

    async def story():
        async with paper.cluster() as cluster:
            made = config_map(kubeconfig="x")
            made["metadata"] = {"name": decide.NAME, "namespace": decide.NAMESPACE}
            await cluster.create(kinds.CONFIG_MAP, made)
            secret = token()
            del secret["metadata"]["uid"]
            await cluster.create(kinds.SECRET, secret)
            await cluster.settle(1)

            async def data():
                return (await cluster.get(kinds.CONFIG_MAP, decide.NAME, decide.NAMESPACE))["data"]

            assert await data() == {"kubeconfig": "x", "jws-kubeconfig-abcdef": SIGNED}
            await cluster.patch(kinds.CONFIG_MAP, decide.NAME, {"data": {"kubeconfig": "y"}}, decide.NAMESPACE)
            await cluster.settle(1)
            assert (await data())["jws-kubeconfig-abcdef"] == bootstrap_tokens.signature("y", "abcdef", "secret")
            await cluster.delete(kinds.SECRET, "bootstrap-token-abcdef", "kube-system")
            await cluster.settle(1)
            assert await data() == {"kubeconfig": "y"}

    paper.run(story)
