"""A pod with a certificate, from the request to the file, and to the next one."""

import base64
import dataclasses
import datetime
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from steersman.aio.clock import Clock, VirtualClock
from steersman.aio.tasks import Tasks
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from steersman.kubelet.alarms import Alarms
from steersman.kubelet.certificates import keys
from steersman.kubelet.certificates.pod_certificates import NotIssued, PodCertificates
from steersman.kubelet.references import References
from steersman.meta import times
from steersman.meta.objects import Object
from tests.aio import virtual
from tests.kubelet import world
from tests.kubelet.paper_api import PaperApi
from tests.kubelet.test_agent import run

SIGNER = "example.com/signer"


def chain(name: str) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(name.encode()).decode()}\n-----END CERTIFICATE-----\n"


async def make_key(key_type: str) -> keys.Key:
    """Not in a thread, which virtual time does not wait for."""
    return keys.make(key_type)


@dataclasses.dataclass
class Desk:
    """The shell alone, without a kubelet, whose heart would beat through the hours."""

    api: PaperApi
    clock: Clock
    certificates: PodCertificates
    told: list[tuple[str, str]]
    changes: list[str]
    pod: Object

    @property
    def requests(self) -> list[Object]:
        return [obj for (plural, _, _), obj in self.api.objects.items() if plural == "podcertificaterequests"]

    def bundle(self) -> tuple[bytes, bytes]:
        return self.certificates.bundle(self.pod, "certs", 0, {"signerName": SIGNER, "keyType": "ED25519"})

    def refusal(self) -> str:
        with pytest.raises(NotIssued) as refused:
            self.bundle()
        return str(refused.value)

    async def until(self, is_so: Callable[[], Any], seconds: float = 100.0) -> None:
        end = self.clock.monotonic() + seconds
        while not is_so():
            assert self.clock.monotonic() < end
            await self.clock.sleep(0.05)

    async def until_seen(self) -> None:
        [record] = self.certificates._records.values()
        await self.until(lambda: record.held.asked is not None and record.held.asked.was_seen)


def at_a_desk(test: Callable[[Desk], Awaitable[None]]) -> None:
    async def body(clock: VirtualClock) -> None:
        api = PaperApi(clock)
        client = Client(InProcessTransport(api.handle), clock=clock)
        told: list[tuple[str, str]] = []
        changes: list[str] = []
        api.put("serviceaccounts", {"metadata": {"name": "robot", "namespace": "default"}})
        node = api.put("nodes", {"metadata": {"name": "node-1"}})
        async with Tasks("test") as tasks:
            certificates = PodCertificates(
                "node-1",
                client,
                clock,
                tasks,
                Alarms(clock, tasks),
                References(client, clock, tasks),
                lambda: node,
                lambda pod, reason, message: told.append((reason, message)),
                changes.append,
                make_key,
            )
            pod = {
                "metadata": {"name": "web", "namespace": "default", "uid": "u1"},
                "spec": {"serviceAccountName": "robot"},
            }
            await test(Desk(api, clock, certificates, told, changes, pod))

    virtual.run(body)


def answer(
    desk: "Desk | world.World", request: Object, kind: str = "Issued", begin: float = 20 * 3600, end: float = 24 * 3600
) -> None:
    status: Object = {"conditions": [{"type": kind, "status": "True", "reason": "Why", "message": "so it is"}]}
    if kind == "Issued":
        now = desk.clock.now()
        status |= {
            "certificateChain": "the leaf\n" + chain(request["metadata"]["name"]),
            "beginRefreshAt": times.format_seconds(now + datetime.timedelta(seconds=begin)),
            "notAfter": times.format_seconds(now + datetime.timedelta(seconds=end)),
        }
    desk.api.put("podcertificaterequests", {**request, "status": status})


def test_a_new_one_is_asked_for_in_time() -> None:
    async def test(desk: Desk) -> None:
        assert desk.refusal() == "credential bundle is not issued yet"
        await desk.until(lambda: desk.requests)
        answer(desk, desk.requests[0])
        await desk.until(lambda: desk.changes == ["u1"])
        key, found = desk.bundle()
        assert found.decode() == chain(desk.requests[0]["metadata"]["name"])
        await desk.clock.sleep(19.9 * 3600)
        assert len(desk.requests) == 1
        await desk.clock.sleep(0.2 * 3600)
        await desk.until(lambda: len(desk.requests) == 2)
        assert desk.bundle() == (key, found), "the old one is good until there is a new one"
        answer(desk, desk.requests[1])
        await desk.until(lambda: len(desk.changes) == 2)
        renewed = desk.bundle()
        assert renewed[1].decode() == chain(desk.requests[1]["metadata"]["name"])
        assert renewed[0] != key
        assert desk.told == []

    at_a_desk(test)


@pytest.mark.parametrize(("kind", "how", "what"), [("Denied", "was denied", "denied"), ("Failed", "failed", "failed")])
def test_a_signer_that_refuses_is_not_asked_again(kind: str, how: str, what: str) -> None:
    async def test(desk: Desk) -> None:
        desk.refusal()
        await desk.until(lambda: desk.requests)
        answer(desk, desk.requests[0], kind)
        await desk.until(lambda: desk.changes)
        assert desk.refusal() == f'PodCertificateRequest was permanently {what}: reason="Why" message="so it is"'
        name = f"default/{desk.requests[0]['metadata']['name']}"
        assert desk.told == [(kind, f'PodCertificateRequest {name} {how}, reason="Why", message="so it is"')]
        desk.api.remove("podcertificaterequests", desk.requests[0]["metadata"]["name"])
        await desk.clock.sleep(3600)
        desk.refusal()
        await desk.clock.sleep(3600)
        assert desk.requests == []

    at_a_desk(test)


def test_a_request_that_somebody_deleted_is_made_again() -> None:
    async def test(desk: Desk) -> None:
        desk.refusal()
        await desk.until(lambda: desk.requests)
        await desk.until_seen()
        desk.api.remove("podcertificaterequests", desk.requests[0]["metadata"]["name"])
        await desk.until(lambda: desk.requests)

    at_a_desk(test)


def test_what_cannot_be_asked_is_asked_when_the_volume_is_tried_again() -> None:
    async def test(desk: Desk) -> None:
        account = desk.api.objects["serviceaccounts", "default", "robot"]
        desk.api.remove("serviceaccounts", "robot")
        desk.refusal()
        await desk.clock.sleep(5)
        assert desk.requests == []
        desk.api.put("serviceaccounts", account)
        await desk.clock.sleep(5)
        desk.refusal()
        await desk.until(lambda: desk.requests, 2)

    at_a_desk(test)


def test_old_certificates_are_told_of_once() -> None:
    async def test(desk: Desk) -> None:
        desk.refusal()
        await desk.until(lambda: desk.requests)
        answer(desk, desk.requests[0], begin=3600)
        await desk.until(lambda: desk.changes)
        await desk.clock.sleep(30 * 3600)
        assert desk.told == [
            ("CertificateOverdueForRefresh", "PodCertificate refresh overdue"),
            ("CertificateExpired", "PodCertificate expired"),
        ]

    at_a_desk(test)


def test_nothing_is_done_for_a_pod_that_is_gone() -> None:
    async def test(desk: Desk) -> None:
        desk.refusal()
        await desk.until(lambda: desk.requests)
        answer(desk, desk.requests[0], begin=3600)
        await desk.until(lambda: desk.changes)
        desk.certificates.forget("u1")
        await desk.clock.sleep(10 * 3600)
        assert len(desk.requests) == 1
        assert desk.told == []

    at_a_desk(test)


def test_the_files_of_a_pod(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        here.options = dataclasses.replace(here.options, on_paper=False)
        here.api.put("serviceaccounts", {"metadata": {"name": "robot", "namespace": "default"}})
        wanted = {
            "signerName": SIGNER,
            "keyType": "ECDSAP256",
            "credentialBundlePath": "bundle.pem",
            "keyPath": "key.pem",
        }
        source = {"podCertificate": {**wanted, "certificateChainPath": "chain.pem"}}
        volume = {"name": "certs", "projected": {"sources": [source]}}

        def requests() -> list[Object]:
            return [obj for (plural, _, _), obj in here.api.objects.items() if plural == "podcertificaterequests"]

        async with here.running() as kubelet:
            certificates = kubelet._node.volumes.certificates
            assert isinstance(certificates, PodCertificates)
            certificates._make_key = make_key
            pod = here.pod(volumes=[volume], serviceAccountName="robot")

            def files() -> dict[str, bytes]:
                folder = kubelet._node.volumes.paths_of(pod["metadata"]["uid"])["certs"]
                return {one.name: one.read_bytes() for one in folder.iterdir() if not one.name.startswith("..")}

            await here.until(requests)
            [request] = requests()
            assert here.phase() == "Pending"
            assert request["spec"]["podUID"] == pod["metadata"]["uid"]
            assert request["spec"]["nodeUID"] == here.api.objects["nodes", "", world.NODE]["metadata"]["uid"]
            answer(here, request, begin=10)
            await here.until_running()
            found = files()
            assert found["chain.pem"].decode() == chain(request["metadata"]["name"])
            assert found["bundle.pem"] == found["key.pem"] + found["chain.pem"]
            key = serialization.load_pem_private_key(found["key.pem"], None)
            stub = x509.load_der_x509_csr(base64.b64decode(request["spec"]["stubPKCS10Request"]))
            assert stub.public_key() == key.public_key()
            text = 'MountVolume.SetUp failed for volume "certs" : credential bundle is not issued yet'
            assert set(here.events.of("FailedMount")) <= {text}
            await here.until(lambda: len(requests()) == 2, 320)
            answer(here, requests()[1])
            await here.until(lambda: files() != found, 5)
            here.api.delete_pod("web", 1)
            await here.until(lambda: here.api.get("pods", "web") is None)

    run(test, tmp_path)
