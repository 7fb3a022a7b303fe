"""The first conversation of a machine with a cluster, over HTTPS: what it learns, and in what words it is sent away."""

import dataclasses
import datetime
import pathlib

import orjson
import pytest
from cryptography import x509

from steersman.aio.clock import SystemClock
from steersman.apiserver import joining
from steersman.client.access import Access
from steersman.client.client import Client
from steersman.client.transport import HttpTransport
from steersman.cluster import pki, tokens
from steersman.cluster.join import certificates, contact, discovery, membership
from steersman.cluster.join.configuration import Configuration
from steersman.cluster.join.discovery import Refused, Token
from steersman.cluster.paths import Paths
from steersman.serving.messages import Request
from tests.cluster.join import town

pytestmark = pytest.mark.slow

GOOD, RIGHTLESS = Token("abcdef", "0123456789abcdef"), Token("fedcba", "0123456789abcdef")
CLOCK = SystemClock()
NOWHERE = Configuration(1, "town", "127.0.0.1", 31, "1.37", 1.0)
READY = {
    "metadata": {"name": "taken"},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}


class LateClock(SystemClock):
    def now(self) -> datetime.datetime:
        return super().now() + datetime.timedelta(hours=2)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = {str(GOOD): (joining.JOINING,), str(RIGHTLESS): ()}
    with town.served(tmp_path_factory.mktemp("town"), made, (READY,)) as found:
        yield found


@pytest.fixture
def where(tmp_path: pathlib.Path) -> Paths:
    paths = Paths(tmp_path / "data", tmp_path / "run")
    paths.prepare()
    return paths


async def refusal(work) -> str:
    with pytest.raises(Refused) as refused:
        await work
    return str(refused.value)


async def test_who_knows_the_token_and_has_the_key_is_believed(place):
    assert await contact.discover(place.url, GOOD, [tokens.pin_of(place.pem)], CLOCK) == place.pem
    assert await contact.discover(place.url, GOOD, [], CLOCK) == place.pem


async def test_who_has_another_key_is_not(place):
    said = await refusal(contact.discover(place.url, GOOD, [f"sha256:{'0' * 64}"], CLOCK))
    assert said.startswith(f"The cluster's authority has the key {tokens.pin_of(place.pem)}, not the one that")


async def test_who_does_not_know_the_secret_is_not(place):
    said = await refusal(contact.discover(place.url, Token("abcdef", "fedcba9876543210"), [], CLOCK))
    assert said == 'The secret part of the token "abcdef" is not the one that the cluster knows.'


async def test_a_token_that_nobody_knows_is_waited_for_a_little(place, monkeypatch):
    monkeypatch.setattr(contact, "SIGNED_SECONDS_MAX", 0.1)
    monkeypatch.setattr(contact, "LOOK_SECONDS", 0.1)
    said = await refusal(contact.discover(place.url, Token("aaaaaa", "0123456789abcdef"), [], CLOCK))
    assert said.startswith('The cluster does not know the token "aaaaaa": it is wrong, has expired or was deleted.')


async def test_a_server_by_another_name(place):
    url = place.url.replace("127.0.0.1", "localhost")
    said = await refusal(contact.discover(url, GOOD, [], CLOCK))
    assert said.startswith("The server's certificate is not for localhost: use the address that")


async def test_nobody_there():
    said = await refusal(contact.discover("https://127.0.0.1:1", GOOD, [], CLOCK))
    assert said.startswith("https://127.0.0.1:1 cannot be reached (Connection refused)")


async def test_a_clock_that_is_wrong(place):
    said = await refusal(contact.discover(place.url, GOOD, [], LateClock()))
    assert said.startswith("This machine's clock is 2:00:0")
    assert "ahead of the server's" in said


async def test_what_a_machine_is_told(place):
    found = await contact.learn(place.url, place.pem, GOOD, "new", CLOCK)
    assert found.name == "town"
    assert found.ranges == ("172.30.31.0/24", "10.147.0.0/16", "10.127.0.0/16")


REFUSED = {
    "a name that lives": (GOOD, "taken", 'The cluster has a Node "taken" that is Ready: delete it there'),
    "a token without rights": (RIGHTLESS, "new", "The token does not give the right to join: nodes "),
    "a token that is no more": (Token("gggggg", GOOD.secret), "new", "The token has expired or was deleted"),
}


@pytest.mark.parametrize(("token", "name", "said"), REFUSED.values(), ids=REFUSED.keys())
async def test_who_may_not_come_in(place, token, name, said):
    assert (await refusal(contact.learn(place.url, place.pem, token, name, CLOCK))).startswith(said)


async def test_a_machine_gets_its_certificates_and_no_others(place, where):
    told = await contact.learn(place.url, place.pem, GOOD, "new", CLOCK)
    of = membership.Membership(place.url, "new", "127.0.0.1", "1.37", told)
    await contact.enter(where, of, place.pem, GOOD, CLOCK)
    own = x509.load_pem_x509_certificate(membership.certificate(where, pki.node_identity("new")).read_bytes())
    assert own.subject.rfc4514_string() == "CN=system:node:new,O=system:nodes"
    transport = HttpTransport(contact.access(where, of), clock=CLOCK)
    client = Client(transport, clock=CLOCK)
    assert await who_am_i(client) == "system:node:new"
    proxy = where.pki / "proxy.pem"
    await certificates.obtain(client, certificates.of_proxy(), proxy, CLOCK)
    with pytest.raises(certificates.NotGiven, match="Nobody has approved the request csr-"):
        await certificates.obtain(
            client, dataclasses.replace(certificates.of_proxy(), user="somebody"), where.pki / "x.pem", Hasty()
        )
    pem = proxy.read_bytes()
    transport.become(Access(place.url, authority=place.pem, certificate=pem, key=pem))
    assert await who_am_i(client) == "system:kube-proxy"
    await transport.close()


async def test_a_cluster_that_was_made_in_anothers_place(place, where):
    of = membership.Membership(place.url, "new", "127.0.0.1", "1.37", NOWHERE)
    other = pki.Authority(where.pki, CLOCK.now())
    pair = other.client(pki.node_identity("new"))
    own = membership.certificate(where, pki.node_identity("new"))
    own.write_bytes(pair.certificate.read_bytes() + pair.key.read_bytes())
    said = await refusal(contact.recognize(where, of, CLOCK))
    assert said.startswith(f"{place.url} is not the cluster that this machine joined (")
    silent = dataclasses.replace(of, server="https://127.0.0.1:1")
    await contact.recognize(where, silent, CLOCK)
    assert await contact.see_own(where, silent, CLOCK) is None


async def who_am_i(client: Client) -> str:
    body = orjson.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    answer = await client.request(Request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=body))
    name: str = orjson.loads(answer.body)["status"]["userInfo"]["username"]
    return name


class Hasty(SystemClock):
    """A minute is a hundred milliseconds."""

    def monotonic(self) -> float:
        return super().monotonic() * 600


def test_urls_tokens_and_hashes_as_people_write_them():
    assert discovery.parse_url("10.0.0.1") == "https://10.0.0.1:6443"
    assert discovery.parse_url("https://a.example:7000/") == "https://a.example:7000"
    assert discovery.parse_url("[fd00::1]:7") == "https://[fd00::1]:7"
    assert str(discovery.parse_token("abcdef.0123456789abcdef")) == "abcdef.0123456789abcdef"
    assert discovery.parse_pin(f"SHA256:{'AB' * 32}") == f"sha256:{'ab' * 32}"


@pytest.mark.parametrize("text", ["http://a:1", "https://", "https://a:x", "https://a/path", "https://a:1?q"])
def test_no_urls(text):
    with pytest.raises(ValueError, match="not a server's URL"):
        discovery.parse_url(text)


@pytest.mark.parametrize("text", ["sha256:12", "ab" * 32, f"md5:{'0' * 64}", f"sha256:{'g' * 64}"])
def test_no_hashes(text):
    with pytest.raises(ValueError, match="a hash is written as"):
        discovery.parse_pin(text)
