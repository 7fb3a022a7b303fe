import pytest

from steersman.meta import address_pools

POOLS = [
    pytest.param("10.0.0.1", 4, ["10.0.0.1"], id="one"),
    pytest.param("10.0.0.1-10.0.0.3, 10.1.0.0/30", 4, ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.1.0.1", "10.1.0.2"], id="many"),
    pytest.param("10.0.0.254 - 10.0.1.1", 4, ["10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1"], id="over the edge"),
    pytest.param("10.0.0.0/31", 4, ["10.0.0.0", "10.0.0.1"], id="a pair"),
    pytest.param("fd00::/127,\n10.0.0.1", 6, ["fd00::", "fd00::1"], id="six"),
    pytest.param("", 4, [], id="none"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "version", "expected"), POOLS)
def test_addresses(text, version, expected):
    pool = address_pools.parse(text)
    assert list(pool.addresses(version)) == expected
    assert all(address in pool for address in expected)
    assert "192.0.2.1" not in pool
    assert "x" not in pool


@pytest.mark.parametrize("text", ["x", "10.0.0.2-10.0.0.1", "10.0.0.1-fd00::", "10.0.0.0/33"])
def test_no_pool(text):
    with pytest.raises(address_pools.PoolError, match=text.partition("/")[0]):
        address_pools.parse(f"10.9.0.1, {text}")
