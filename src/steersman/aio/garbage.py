"""When Python looks for garbage."""

import contextlib
import gc
from collections.abc import Iterator

# A process of ours keeps what it parses, and hardly anything it drops hangs together in a circle; Python's own thresholds (700,
# 10, 10) walk over everything that came some seven times to find nothing: a fifth of the CPU of bringing up a pod. With these
# each object is looked at twice, and what garbage may wait for meanwhile is some 30 MB.
THRESHOLDS = (20_000, 10, 10)


# By then a process has all that it needs to serve, which stays as long as it does: a look at everything would hold up whoever waits
# for an answer, for a tenth of a second and longer, to find nothing there.
STARTED_SECONDS = 5.0


def look_rarely() -> None:
    """For the whole process."""
    gc.set_threshold(*THRESHOLDS)


def keep() -> None:
    """What is there is not looked at again."""
    gc.freeze()


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Not in here."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
