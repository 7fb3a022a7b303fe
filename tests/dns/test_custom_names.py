"""The administrator's own names."""

import ipaddress

import pytest

from steersman.dns import custom_names, wire

DATA = {
    "hosts": "10.0.0.1 gate.example gate\n# nothing\nfd00::1 gate.example\nnonsense here\n",
    "corp.example.zone": """
        @        A      10.1.0.1     ; the domain itself
        www      CNAME  @
        db  60   IN A   10.1.0.2
        db       AAAA   fd00::2
        _sql._tcp SRV   0 50 5432 db
        note     TXT    "hello there"
        a.b.deep A      10.1.0.3
        bad      MX     10 mail
        far      CNAME  example.org.
    """,
    "stubDomains": '{"acme.local": ["1.2.3.4", "[fd00::53]:5353"], "x.acme.local": ["5.6.7.8:53"]}',
    "upstreamNameservers": '["8.8.8.8", "nobody"]',
}
NAMES = custom_names.parse(DATA)


def asked(name: str, kind: int) -> list[str] | str | None:
    """Addresses or names of the answer; a word for a no."""
    answer = NAMES.answer(name, kind)
    if answer is None:
        return None
    if answer.code == wire.NXDOMAIN:
        return "no such name"
    if not answer.answers:
        return "no data"
    return [_text(record) for record in answer.answers]


def _text(record: wire.Record) -> str:
    if record.type in (wire.A, wire.AAAA):
        return str(ipaddress.ip_address(record.data))
    if record.type == wire.TXT:
        return record.data[1:].decode()
    return wire.name_in_data(record.data, 6 if record.type == wire.SRV else 0)


ANSWERS = [
    pytest.param("gate.example", wire.A, ["10.0.0.1"], id="hosts"),
    pytest.param("gate.example", wire.AAAA, ["fd00::1"], id="hosts, six"),
    pytest.param("1.0.0.10.in-addr.arpa", wire.PTR, ["gate.example"], id="hosts, reverse"),
    pytest.param("corp.example", wire.A, ["10.1.0.1"], id="the domain"),
    pytest.param("www.corp.example", wire.A, ["corp.example"], id="alias"),
    pytest.param("far.corp.example", wire.A, ["example.org"], id="alias outside"),
    pytest.param("db.corp.example", wire.A, ["10.1.0.2"], id="class and lifetime"),
    pytest.param("db.corp.example", wire.TXT, "no data", id="another type"),
    pytest.param("_sql._tcp.corp.example", wire.SRV, ["db.corp.example"], id="service"),
    pytest.param("note.corp.example", wire.TXT, ["hello there"], id="text"),
    pytest.param("b.deep.corp.example", wire.A, "no data", id="above a name"),
    pytest.param("nobody.corp.example", wire.A, "no such name", id="not in the zone"),
    pytest.param("bad.corp.example", wire.A, "no such name", id="a line that was left out"),
    pytest.param("example.org", wire.A, None, id="not ours"),
]


@pytest.mark.parametrize(("name", "kind", "expected"), ANSWERS)
def test_answers(name, kind, expected):
    assert asked(name, kind) == expected


def test_resolvers():
    assert NAMES.resolvers_for("a.acme.local") == ("1.2.3.4", "fd00::53#5353")
    assert NAMES.resolvers_for("b.x.acme.local") == ("5.6.7.8#53",)
    assert NAMES.resolvers_for("acme.example") == ()
    assert NAMES.upstreams == ("8.8.8.8",)


def test_what_cannot_be_read_is_told_and_left_out():
    assert NAMES.problems == (
        "hosts: nonsense here: nonsense is no address",
        "corp.example.zone: bad      MX     10 mail: MX is none of A, AAAA, CNAME, NS, PTR, SRV, TXT",
        "nobody is no address of a resolver",
    )
    assert len(custom_names.parse({"stubDomains": "{"}).problems) == 1
    assert custom_names.parse({}).records == {}
