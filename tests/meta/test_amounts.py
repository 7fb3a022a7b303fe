import pytest

from steersman.meta import amounts


@pytest.mark.parametrize(
    ("amount", "total", "up", "expect"),
    [
        (3, 10, True, 3),
        (0, 10, False, 0),
        ("25%", 10, True, 3),
        ("25%", 10, False, 2),
        ("100%", 7, False, 7),
        ("10%", 0, True, 0),
    ],
)
def test_scaled(amount, total, up, expect):
    assert amounts.scaled(amount, total, up=up) == expect
