"""Where clusters of failed tests are kept: nowhere, unless the pytest plugin was told a folder (`--steersman-save`)."""

import logging
import os
import pathlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from steersman.testing.cluster import AsyncCluster, Cluster

_log = logging.getLogger(__name__)

_folder: pathlib.Path | None = None
NO_FAILURES = ("Skipped", "KeyboardInterrupt")  # pytest.skip inside a `with` block
NAME_MOST_CHARACTERS = 120  # file systems take 255 bytes


def keep_in(folder: str | None) -> None:
    """From now on; None: no more."""
    global _folder
    _folder = pathlib.Path(folder) if folder else None


def keep(cluster: "Cluster | AsyncCluster", why: object) -> str:
    """Save the cluster of the test that runs now; a line for people, "" when nothing is to be kept."""
    if _folder is None or type(why).__name__ in NO_FAILURES:
        return ""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    folder = _free(_folder, re.sub(r"[^\w.=-]+", "-", test)[-NAME_MOST_CHARACTERS:].strip("-") or "cluster")
    try:
        cluster.save(folder, f"{test}: {why}" if test else str(why))
    except OSError as problem:  # the test's own failure matters more
        _log.exception("the cluster could not be saved")
        return f"The cluster could not be saved: {problem}"
    return f"The cluster is kept (seed {cluster.seed}); to look at it: Cluster.load({str(folder)!r})"


def _free(folder: pathlib.Path, name: str) -> pathlib.Path:
    found, number = folder / name, 1
    while found.exists():
        number += 1
        found = folder / f"{name}.{number}"
    return found
