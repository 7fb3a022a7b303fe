"""Tokens of an issuer that is really there: found by its document, checked by its keys, which change."""

import asyncio
import contextlib
import json
import pathlib
import socket

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt import algorithms

from steersman.aio import clock as clocks
from steersman.apiserver.jwt_issuers import configuration
from steersman.cluster import pki
from steersman.serving import http_server, tls
from steersman.serving.messages import Response
from tests.apiserver import kit
from tests.apiserver.jwt_issuers.test_configuration import issuer, whole

REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def key():
    return ec.generate_private_key(ec.SECP256R1())


class Issuer:
    """`keys` by name; `asked` are the paths that were."""

    def __init__(self, authority, port):
        self.authority = authority
        self.url = f"https://127.0.0.1:{port}"
        self.keys = {"first": key()}
        self.asked = []

    async def handle(self, request):
        self.asked.append(request.path)
        document = {"issuer": self.url, "jwks_uri": f"{self.url}/keys?of=me"}
        is_for_keys = (request.path, request.query) == ("/keys", "of=me")
        return Response(200, {}, json.dumps({"keys": self._keys()} if is_for_keys else document).encode())

    def _keys(self):
        return [
            {**json.loads(algorithms.ECAlgorithm.to_jwk(key.public_key())), "kid": name, "use": "sig"}
            for name, key in self.keys.items()
        ]

    def token(self, key="first", **claims):
        now = int(clocks.SystemClock().now().timestamp())
        said = {"iss": self.url, "aud": "me", "sub": "carol", "exp": now + 60, **claims}
        return jwt.encode(said, self.keys[key], "ES256", {"kid": key})


@contextlib.asynccontextmanager
async def running(folder: pathlib.Path, **more):
    """(issuer, API server that knows it)."""
    clock = clocks.SystemClock()
    authority = pki.Authority(folder, clock.now())
    serving = authority.server("issuer", "issuer", ["127.0.0.1"])
    context = tls.server_context(serving.certificate, serving.key, authority.pair.certificate)
    listener = socket.create_server(("127.0.0.1", 0))
    found = Issuer(authority.pair.certificate.read_text(), listener.getsockname()[1])
    where = {"url": found.url, "audiences": ["me"], "certificateAuthority": found.authority}
    known = configuration.parse(whole(issuer(issuer=where, **more)))
    async with (
        await http_server.serve(found.handle, sockets=[listener], ssl_context=context, clock=clock),
        kit.Api(authentication=known) as api,
    ):
        yield found, api


async def who(api, token):
    """The name and groups that the API server sees, or its refusal."""
    headers = {"authorization": f"Bearer {token}"}
    answer = await api.ask("POST", REVIEW, {}, headers=headers, peer=kit.NOBODY)
    if answer.status != 201:
        return answer.status
    info = answer.body["status"]["userInfo"]
    return info["username"], tuple(info["groups"])


CAROL = ("carol", ("system:authenticated",))


def test_a_token_of_an_issuer_is_a_user(tmp_path):
    async def story():
        async with running(tmp_path) as (found, api):
            token = found.token()
            assert await who(api, token) == CAROL
            assert await who(api, token) == CAROL
            assert await who(api, found.token(sub="dave")) == ("dave", ("system:authenticated",))
            assert found.asked == ["/.well-known/openid-configuration", "/keys"]

    asyncio.run(story())


def test_what_is_no_good_is_401(tmp_path):
    async def story():
        async with running(tmp_path) as (found, api):
            found.keys["other"] = key()
            forged = found.token("other")
            del found.keys["other"]
            shared = jwt.encode({"iss": found.url, "aud": "me", "sub": "x", "exp": 9e9}, "s" * 32, "HS256")
            unsigned = found.token().rpartition(".")[0] + "."
            wrong = [found.token(aud="you"), found.token(exp=1), found.token(iss="https://other")]
            other_kind = rsa.generate_private_key(65537, 2048)
            said = {"iss": found.url, "aud": "me", "sub": "carol", "exp": 9e9}
            misfits = [jwt.encode(said, other_kind, one, {"kid": "first"}) for one in ("RS256", "PS256")]
            tokens = [*wrong, forged, shared, unsigned, *misfits, "a.b.c"]
            assert [await who(api, token) for token in tokens] == [401] * len(tokens)

    asyncio.run(story())


def test_keys_are_read_again_when_one_is_new(tmp_path, monkeypatch):
    monkeypatch.setattr("steersman.apiserver.jwt_issuers.keys.PAUSE_SECONDS", 0.0)

    async def story():
        async with running(tmp_path) as (found, api):
            assert await who(api, found.token()) == CAROL
            old = found.token(sub="old")
            found.keys = {"second": key()}
            assert await who(api, found.token("second")) == CAROL
            assert await who(api, old) == 401

    asyncio.run(story())


def test_a_token_review_says_who_it_is(tmp_path):
    async def story():
        async with running(tmp_path) as (found, api):
            body = {"spec": {"token": found.token()}}
            answer = await api.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body)
            return answer.body["status"]

    status = asyncio.run(story())
    assert (status["authenticated"], status["user"]["username"]) == (True, "carol")


def test_an_issuer_that_does_not_answer_is_no_reason_to_fail():
    where = {"url": "https://127.0.0.1:1", "audiences": ["me"]}

    async def story():
        async with kit.Api(authentication=configuration.parse(whole(issuer(issuer=where)))) as api:
            return await who(api, jwt.encode({"iss": where["url"], "exp": 9e9}, key(), "ES256"))

    assert asyncio.run(story()) == 401


@pytest.mark.parametrize(("path", "code"), [("/healthz", 200), ("/version", 401)])
def test_what_nobody_may_ask(path, code):
    known = configuration.parse(whole(anonymous={"enabled": True, "conditions": [{"path": "/healthz"}]}))

    async def story():
        async with kit.Api(authentication=known) as api:
            return (await api.ask("GET", path, peer=kit.NOBODY)).status

    assert asyncio.run(story()) == code
