"""What only etcd can do to a store: members that die or hang, others who write and compact, leases, certificates."""

import asyncio
import contextlib
import datetime
import pathlib
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aetcd import rpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from steersman.aio.clock import SystemClock
from steersman.store import contract
from steersman.store.contract import Put
from steersman.store.etcd import addresses, connection, records
from steersman.store.etcd.addresses import Address
from steersman.store.etcd.connection import Connection
from steersman.store.etcd.store import EtcdStore
from steersman.store.memory import Limits
from tests.store import etcd_server
from tests.store.media import delete, events, keys, pod, put, value, write

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not etcd_server.is_installed(), reason="needs etcd (Debian: etcd-server)"),
]


@pytest.fixture
def etcd(tmp_path: pathlib.Path) -> Iterator[etcd_server.Cluster]:
    with etcd_server.running(tmp_path) as cluster:
        yield cluster


@contextlib.asynccontextmanager
async def opened(address: Address, **options: Any) -> AsyncIterator[EtcdStore]:
    store = await EtcdStore.open(address, SystemClock(), **options)
    try:
        yield store
    finally:
        await store.close()


async def tell(address: Address, call: Any, request: Any) -> Any:
    """Something that another user of this etcd does."""
    other = Connection(address, SystemClock())
    try:
        return await other.ask(call, request)
    finally:
        await other.close()


def restart(cluster: etcd_server.Cluster) -> None:
    for member in cluster.members:
        member.kill()
    cluster.start()


# Several API servers


async def test_a_read_sees_what_another_server_was_told_is_written(etcd):
    async with opened(etcd.address) as one, opened(etcd.address) as other:
        for number in range(50):
            revision = await write(one, put(pod("a"), str(number)))
            entry = await other.get(pod("a"))
            assert entry is not None
            assert entry.value == value(revision, str(number))
            assert (await other.list("/core/pods/")).revision >= revision


async def test_two_servers_lose_no_update_of_one_counter(etcd):
    async with opened(etcd.address) as one, opened(etcd.address) as other:
        await write(one, put(pod("counter"), "0"))

        async def count_up(store: EtcdStore) -> None:
            while True:
                entry = await store.get(pod("counter"))
                assert entry is not None
                number = int(entry.value.split(b'"')[-2])
                with contextlib.suppress(contract.Mismatch):
                    await write(store, put(pod("counter"), str(number + 1), expect=entry.revision))
                    return

        await asyncio.gather(*(count_up(store) for store in (one, other) for _ in range(10)))
        final = await one.get(pod("counter"))
        assert final is not None
        assert final.value.endswith(b'"20"}')


async def test_a_cause_is_known_to_all_servers(etcd):
    async with opened(etcd.address) as one, opened(etcd.address) as other:
        revision = await write(one, put(pod("a")), who="somebody")
        await other.get(pod("a"))
        cause = await other.cause(revision)
        assert cause is not None
        assert cause.who == "somebody"


async def test_clusters_under_other_prefixes_and_other_users_are_left_alone(etcd):
    async with opened(etcd.address) as one, opened(etcd.address, prefix="/other") as other:
        await write(one, put(pod("a")))
        await tell(etcd.address, lambda member: member.kv.Put, rpc.PutRequest(key=b"/steersman2/objects/x", value=b"?"))
        watch = one.watch("", one.revision)
        assert await keys(other, "") == []
        await write(other, put(pod("b")))
        await write(one, put(pod("c")))
        assert [event.key for event in await events(watch, 1)] == [pod("c")]
        assert await keys(one, "") == [pod("a"), pod("c")]
        watch.close()


# Members that die or hang


async def test_a_watch_goes_on_after_a_restart_of_etcd(etcd):
    async with opened(etcd.address) as store:
        watch = store.watch("/core/pods/", store.revision)
        await write(store, put(pod("a")))
        restart(etcd)
        await write(store, put(pod("b")))
        await write(store, delete(pod("a"), "last"))
        seen = await events(watch, 3)
        assert [(event.key, event.deleted) for event in seen] == [
            (pod("a"), False),
            (pod("b"), False),
            (pod("a"), True),
        ]
        watch.close()


async def test_what_was_acknowledged_is_there_after_a_power_cut(tmp_path):
    with etcd_server.running(tmp_path) as cluster:
        async with opened(cluster.address) as store:
            await asyncio.gather(*(write(store, put(pod(str(number)))) for number in range(50)))
            revision = store.revision
        restart(cluster)
        async with opened(cluster.address) as store:
            assert store.revision == revision
            assert len(await keys(store, "/core/pods/")) == 50
            watch = store.watch("/core/pods/", 1)
            assert len(await events(watch, 50)) == 50, "history is read back, too"
            watch.close()


async def test_a_write_that_nobody_answers_has_an_unknown_outcome(etcd, monkeypatch):
    async with opened(etcd.address) as store:
        monkeypatch.setattr(connection, "TELL_SECONDS", 0.3)
        etcd.members[0].signal(signal.SIGSTOP)
        try:
            with pytest.raises(contract.UnknownOutcome):
                await write(store, put(pod("a")))
        finally:
            etcd.members[0].signal(signal.SIGCONT)
        await write(store, put(pod("b")))
        assert pod("b") in await keys(store, "/core/pods/")


async def test_reads_say_so_when_nobody_knows_whether_they_are_the_newest(etcd, monkeypatch):
    async with opened(etcd.address) as store:
        await write(store, put(pod("a")))
        monkeypatch.setattr(connection, "ASK_SECONDS", 0.3)
        etcd.members[0].kill()
        with pytest.raises(contract.Unavailable):
            await store.get(pod("a"))
        with pytest.raises(contract.Unavailable):
            await store.list("/core/pods/")
        etcd.start()


async def test_a_cluster_that_is_away_at_start_is_named(monkeypatch):
    monkeypatch.setattr(connection, "ASK_SECONDS", 0.2)
    (port,) = etcd_server.free_ports(1)
    with pytest.raises(contract.Unavailable, match="etcd does not answer"):
        await EtcdStore.open(Address((f"http://127.0.0.1:{port}",)), SystemClock())


async def test_three_members_lose_their_leader(tmp_path):
    """Writes either succeed or have an unknown outcome; nothing acknowledged is lost, and watches miss nothing."""
    with etcd_server.running(tmp_path, 3) as cluster:
        async with opened(cluster.address) as store:
            watch = store.watch("/core/pods/", store.revision)
            acknowledged, unknown = [], 0
            for number in range(60):
                if number == 20:
                    (await _leader(cluster)).kill()
                try:
                    await write(store, put(pod(str(number))))
                    acknowledged.append(pod(str(number)))
                except (contract.UnknownOutcome, contract.Unavailable):
                    unknown += 1
                    await asyncio.sleep(0.05)
            assert len(acknowledged) >= 40
            there = await keys(store, "/core/pods/")
            assert set(acknowledged) <= set(there)
            assert sorted(event.key for event in await events(watch, len(there))) == there
            watch.close()


async def _leader(cluster: etcd_server.Cluster) -> etcd_server.Member:
    for member in cluster.members:
        alone = Address((member.url,))
        status = await tell(alone, lambda one: rpc.MaintenanceStub(one.channel).Status, rpc.StatusRequest())
        if status.leader == status.header.member_id:
            return member
    raise AssertionError("nobody leads")


# Compaction


async def test_what_was_compacted_while_cut_off_is_read_anew_and_watchers_are_told(etcd):
    async with opened(etcd.address) as store, opened(etcd.address) as other:
        await write(store, put(pod("a")))
        watch = store.watch("/core/pods/", store.revision)
        store._follower.cancel()
        await asyncio.wait([store._follower])
        await write(other, put(pod("b")))
        await write(other, delete(pod("a")))
        await write(other, put(pod("c")))
        await other.compact(other.revision)
        store._start_following()
        assert await keys(store, "/core/pods/") == [pod("b"), pod("c")]
        with pytest.raises(contract.Overrun):
            await anext(aiter(watch))
        with pytest.raises(contract.Compacted):
            store.watch("/core/pods/", 2)


async def test_history_is_cut_in_etcd_too(etcd):
    async with opened(etcd.address, limits=Limits(history_events=20)) as store:
        for number in range(60):
            await write(store, put(pod(str(number % 3))))
        oldest = store.compacted_revision
        assert oldest > 30
        await store.compact(store.revision)
    async with opened(etcd.address) as store:
        with pytest.raises(contract.Compacted):
            store.watch("", oldest)
        assert len(await keys(store, "")) == 3


# Leases


async def test_entries_go_by_themselves(etcd, monkeypatch):
    monkeypatch.setattr("steersman.store.etcd.leases.REUSE_SECONDS", 0.0)
    async with opened(etcd.address) as store:
        assert store.expires
        watch = store.watch("/core/events/", store.revision)
        short = Put("/core/events/x/e", b'{"rv":"', b'","text":"news"}', ttl_seconds=1)
        await write(store, short, put(pod("stays")))
        made, gone = await events(watch, 2)
        assert (made.deleted, gone.deleted, gone.value) == (False, True, value(gone.revision, "news"))
        assert gone.before is not None
        assert gone.before.revision == made.revision
        assert await keys(store, "") == [pod("stays")]
        watch.close()


async def test_leases_are_shared(etcd):
    async with opened(etcd.address) as store:
        for number in range(20):
            await write(store, Put(f"/core/events/x/{number}", b'{"rv":"', b'"}', ttl_seconds=3600))
        found = await tell(etcd.address, lambda member: member.lease.LeaseLeases, rpc.LeaseLeasesRequest())
        assert len(found.leases) == 1


# Addresses and certificates


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("http://a:1", ("http://a:1",)),
        ("https://a", ("https://a:2379",)),
        ("127.0.0.1", ("http://127.0.0.1:2379",)),
        ("http://[::1]:5,http://b", ("http://[::1]:5", "http://b:2379")),
    ],
)
def test_addresses(text, urls):
    assert addresses.parse(text) == urls


@pytest.mark.parametrize("text", ["", "ftp://a", "http://", "http://a/path", "http://a,https://b", "http://a:port"])
def test_no_addresses(text):
    with pytest.raises(ValueError, match=r"."):
        addresses.parse(text)


async def test_tls_with_client_certificates(tmp_path):
    _make_certificates(tmp_path)
    flags = [
        f"--cert-file={tmp_path}/server.pem",
        f"--key-file={tmp_path}/server.key",
        f"--trusted-ca-file={tmp_path}/ca.pem",
        "--client-cert-auth",
    ]
    with etcd_server.running(tmp_path, tls=flags) as cluster:
        (url,) = (member.url for member in cluster.members)
        trusted = Address((url,), tmp_path / "ca.pem", tmp_path / "client.pem", tmp_path / "client.key")
        async with opened(trusted) as store:
            await write(store, put(pod("a")))
            assert await keys(store, "") == [pod("a")]


def test_the_end_of_a_prefix():
    assert connection.prefix_end(b"/a/") == b"/a0"
    assert connection.prefix_end(b"/a\xff") == b"/b"
    assert connection.prefix_end(b"\xff") == b"\0"


def test_records_can_be_read_by_people():
    record = records.of_object(put(pod("a"), "x"))
    assert record == b'7\n{"rv":"","text":"x"}'
    assert records.value_at(record, 12) == value(12, "x")


def _make_certificates(folder: pathlib.Path) -> None:
    authority, authority_key = _certificate("ca", None)
    for name, made in (
        ("ca", (authority, authority_key)),
        ("server", _certificate("127.0.0.1", (authority, authority_key))),
        ("client", _certificate("client", (authority, authority_key))),
    ):
        certificate, key = made
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


def _certificate(
    name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if name == "127.0.0.1":
        names = [x509.IPAddress(ipaddress.ip_address(name)), x509.DNSName("localhost")]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key
