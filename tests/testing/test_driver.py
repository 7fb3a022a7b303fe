import time

import pytest

from steersman.testing.driver import ThreadDriver, VirtualDriver


@pytest.mark.parametrize("make", [ThreadDriver, VirtualDriver])
def test_results_and_errors_come_through(make):
    async def good():
        return 1

    async def bad():
        raise LookupError("no")

    driver = make()
    try:
        assert driver.run(good()) == 1
        with pytest.raises(LookupError, match="no"):
            driver.run(bad())
    finally:
        driver.close()


def test_virtual_time_passes_at_once():
    driver = VirtualDriver()
    try:
        before, really = driver.clock.now(), time.monotonic()
        driver.run(driver.clock.sleep(3600))
        assert (driver.clock.now() - before).total_seconds() == 3600
        assert time.monotonic() - really < 1
    finally:
        driver.close()
