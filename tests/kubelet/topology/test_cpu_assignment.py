"""Which processors: cases on machines of several sockets, NUMA nodes, caches and threads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.kubelet.topology import cpu_assignment, hardware
from steersman.kubelet.topology.cpu_assignment import NotEnough, Style
from steersman.kubelet.topology.hardware import Hardware
from tests.kubelet.topology import machines

SPREAD, BY_CACHE = Style(spread=True), Style(by_cache=True)


@pytest.mark.parametrize(
    ("of", "free", "count", "style", "wish"),
    [
        pytest.param(machines.SMT, "0-7", 1, Style(), "0", id="one thread"),
        pytest.param(machines.SMT, "1,3,5-7", 1, Style(), "6", id="one thread of a core that is begun"),
        pytest.param(machines.SMT, "0-7", 2, Style(), "0,4", id="a whole core"),
        pytest.param(machines.SMT, "0-7", 3, Style(), "0,4,1", id="a core and a thread"),
        pytest.param(machines.SMT, "1-7", 2, Style(), "1,5", id="a whole core rather than the first"),
        pytest.param(machines.SMT, "1-7", 3, Style(), "1,4-5", id="a core, then what is left of one"),
        pytest.param(machines.SMT, "0-7", 2, SPREAD, "0-1", id="threads of two cores"),
        pytest.param(machines.SMT, "0-7", 5, SPREAD, "0-4", id="more threads than cores"),
        pytest.param(machines.TWO_SOCKETS, "0-15", 8, Style(), "0-3,8-11", id="a socket"),
        pytest.param(machines.TWO_SOCKETS, "1-15", 8, Style(), "4-7,12-15", id="the socket that is whole"),
        pytest.param(machines.TWO_SOCKETS, "1-15", 2, Style(), "1,9", id="a core where least is free"),
        pytest.param(machines.TWO_SOCKETS, "1-15", 10, Style(), "1,4-7,9,12-15", id="a socket and a core of the other"),
        pytest.param(machines.TWO_SOCKETS, "0,2,12-14", 5, Style(), "0,2,12-14", id="all there is"),
        pytest.param(machines.FOUR_NODES, "0-15", 4, Style(), "0-1,8-9", id="a NUMA node"),
        pytest.param(machines.FOUR_NODES, "0-15", 8, Style(), "0-3,8-11", id="a socket of two nodes"),
        pytest.param(machines.FOUR_NODES, "1-15", 4, Style(), "2-3,10-11", id="the other node of the socket"),
        pytest.param(machines.CACHES, "0-15", 4, BY_CACHE, "0-3", id="a cache"),
        pytest.param(machines.CACHES, "1-15", 4, BY_CACHE, "4-7", id="a whole cache rather than two parts"),
        pytest.param(machines.CACHES, "2-15", 2, BY_CACHE, "2-3", id="what is left of a cache"),
        pytest.param(machines.CACHES, "2-15", 3, BY_CACHE, "4-6", id="part of a cache that has enough"),
        pytest.param(machines.CACHES, "2-15", 6, BY_CACHE, "2-7", id="a cache and what is left of one"),
        pytest.param(machines.CACHES, "3,7,11,15", 3, BY_CACHE, "3,7,11", id="caches that have one each"),
    ],
)
def test_packed(of: Hardware, free: str, count: int, style: Style, wish: str) -> None:
    found = cpu_assignment.pack(of, hardware.parse(free), count, style)
    assert hardware.show(found) == hardware.show(hardware.parse(wish))


@pytest.mark.parametrize(
    ("of", "free", "count", "group", "by_socket", "wish"),
    [
        pytest.param(machines.TWO_SOCKETS, "0-15", 8, 1, False, "0-3,8-11", id="it fits on one node"),
        pytest.param(machines.TWO_SOCKETS, "0-15", 10, 1, False, "0-2,4-6,8-9,12-13", id="five of each"),
        pytest.param(machines.TWO_SOCKETS, "0-15", 9, 1, False, "0-2,4-5,8-9,12-13", id="and one more of the first"),
        pytest.param(machines.TWO_SOCKETS, "0-15", 10, 2, False, "0-2,4-5,8-10,12-13", id="whole cores"),
        pytest.param(machines.TWO_SOCKETS, "0-15", 9, 2, False, "0-3,4,8-11", id="no whole cores: packed"),
        pytest.param(machines.TWO_SOCKETS, "1-3,4-15", 10, 2, False, "1-2,4-6,9-10,12-14", id="odd ends are left"),
        pytest.param(machines.FOUR_NODES, "0-15", 8, 1, False, "0-3,8-11", id="two nodes of one socket"),
        pytest.param(
            machines.FOUR_NODES, "0-1,4-5,8-9,12-13", 8, 1, True, "0-1,4-5,8-9,12-13", id="two sockets if need be"
        ),
        pytest.param(
            machines.FOUR_NODES, "0-2,4-6,8-10,12-14", 6, 1, True, "0-2,8-10", id="one socket where it can be"
        ),
    ],
)
def test_distributed(of: Hardware, free: str, count: int, group: int, by_socket: bool, wish: str) -> None:
    found = cpu_assignment.distribute(of, hardware.parse(free), count, group, by_socket=by_socket)
    assert hardware.show(found) == hardware.show(hardware.parse(wish))


def test_too_few() -> None:
    for choose in (cpu_assignment.pack, cpu_assignment.distribute):
        with pytest.raises(NotEnough, match="not enough cpus available to satisfy request: requested=3, available=2"):
            choose(machines.SMT, frozenset({0, 1}), 3)


MACHINES = st.sampled_from([machines.FLAT, machines.SMT, machines.TWO_SOCKETS, machines.FOUR_NODES, machines.CACHES])


@given(MACHINES, st.data())
def test_always_as_many_of_the_free_ones(of: Hardware, data: st.DataObject) -> None:
    free = data.draw(st.frozensets(st.sampled_from(sorted(of.cpus)), min_size=1))
    count = data.draw(st.integers(0, len(free)))
    style = data.draw(st.sampled_from([Style(), SPREAD, BY_CACHE]))
    group = data.draw(st.sampled_from([1, of.cpus_per_core]))
    by_socket = data.draw(st.booleans())
    for found in (
        cpu_assignment.pack(of, free, count, style),
        cpu_assignment.distribute(of, free, count, group, style, by_socket=by_socket),
    ):
        assert len(found) == count
        assert found <= free
