"""Bytes in, bytes out, checked against dnslib; and nothing that arrives can do more than be refused."""

import contextlib

import dnslib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.dns import wire
from tests.dns.builders import message

NAME = "Web.Default.svc.cluster.local"


def test_a_question_is_echoed_as_it_was_asked():
    query = wire.parse_query(message(NAME, "A", number=77))
    answer = wire.Answer(answers=(wire.address_record(query.name, "10.0.0.1", 5),))
    read = dnslib.DNSRecord.parse(wire.format_answer(query, answer, 512))
    assert read.header.id == 77
    assert str(read.q.qname) == f"{NAME}."
    assert (read.header.aa, read.header.ra, read.header.rd, read.header.qr) == (1, 1, 1, 1)
    assert str(read.rr[0].rdata) == "10.0.0.1"


LIMITS = {
    "plain": (0, 512),
    "more than we give": (65535, 1232),
    "in between": (1000, 1000),
    "less than 512": (100, 512),
}


@pytest.mark.parametrize(("asked", "limit"), LIMITS.values(), ids=LIMITS.keys())
def test_what_fits_into_a_datagram(asked, limit):
    assert wire.parse_query(message(NAME, "A", udp_bytes=asked)).udp_bytes == limit


def test_what_does_not_fit_says_so():
    query = wire.parse_query(message(NAME, "A", udp_bytes=1232))
    many = wire.Answer(answers=tuple(wire.address_record(query.name, f"10.0.0.{n}", 5) for n in range(100)))
    read = dnslib.DNSRecord.parse(wire.format_answer(query, many, query.udp_bytes))
    assert (read.header.tc, len(read.rr), read.ar[0].rtype) == (1, 0, dnslib.QTYPE.OPT)
    assert len(dnslib.DNSRecord.parse(wire.format_answer(query, many, wire.TCP_BYTES)).rr) == 100


def test_lifetimes_and_answers_of_a_compressed_message():
    reply = dnslib.DNSRecord.parse(message("a.example.com", "A")).reply()
    reply.add_answer(*dnslib.RR.fromZone("a.example.com 60 CNAME b.example.com\nb.example.com 30 A 10.0.0.1"))
    packed = bytes(reply.pack())
    assert [seconds for _, seconds in wire.lifetimes(packed)] == [60, 30]
    assert wire.answers_of(packed, wire.A) == [(30, bytes((10, 0, 0, 1)))]


@given(st.binary(max_size=80))
def test_any_bytes_are_refused_or_understood(data):
    try:
        query = wire.parse_query(data)
    except wire.Malformed:
        refusal = wire.format_refusal(data, wire.FORMERR)
        assert refusal == b"" or refusal[:2] == data[:2]
    else:
        assert wire.format_answer(query, wire.Answer(), 512)[:2] == data[:2]
    for reader in (wire.lifetimes, lambda message: wire.answers_of(message, wire.A)):
        with contextlib.suppress(wire.Malformed):
            reader(data)


@given(st.data())
def test_a_damaged_question_is_refused_or_understood(data):
    whole = bytearray(message(NAME, "SRV", udp_bytes=1232))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        wire.parse_query(cut)
    except wire.Malformed:
        wire.format_refusal(cut, wire.FORMERR)
