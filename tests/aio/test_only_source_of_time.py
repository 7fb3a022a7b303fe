"""Time, chance and identifiers come from `aio.clock` alone: otherwise no run could be repeated from a seed.

The event loop's own timers (`call_later`, `asyncio.wait` with a timeout) are free to use: they obey a virtual loop.
"""

import ast
from pathlib import Path

import pytest

import steersman

SOURCE = Path(steersman.__file__).parent

# Whole modules that are nothing but time or chance.
MODULES = {"random", "secrets", "uuid"}
# Names of other modules that read time or chance; constants and pure functions of the same modules are fine.
NAMES = {
    "time": {
        "time",
        "time_ns",
        "monotonic",
        "monotonic_ns",
        "perf_counter",
        "perf_counter_ns",
        "sleep",
        "localtime",
        "gmtime",
        "ctime",
        "process_time",
    },
    "os": {"urandom", "getrandom"},
    "asyncio": {"sleep", "timeout", "timeout_at", "wait_for"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}
# The shim is a process of its own that outlives the cluster's: it has no part in a simulation.
OUTSIDE = ("containers/oci/shim",)


def offences(text: str) -> list[str]:
    """`LINE: what` for each place that reads time or chance by itself."""
    found = []
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                found += [f"{node.lineno}: import {name.name}" for name in names if name.name.split(".")[0] in MODULES]
            case ast.ImportFrom(module=str(module), names=names):
                bad = NAMES.get(module, set()) if module not in MODULES else {name.name for name in names}
                found += [f"{node.lineno}: from {module} import {n.name}" for n in names if n.name in bad]
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute) if attribute in NAMES.get(owner, set()):
                found.append(f"{node.lineno}: {owner}.{attribute}")
            case ast.Attribute(value=ast.Attribute(attr=owner), attr=attribute) if attribute in NAMES.get(owner, set()):
                found.append(f"{node.lineno}: {owner}.{attribute}")
    return found


def test_no_module_but_aio_reads_time_or_chance():
    paths = {path.relative_to(SOURCE).as_posix(): path for path in SOURCE.rglob("*.py")}
    checked = {name: path for name, path in paths.items() if not name.startswith(("aio/", *OUTSIDE))}
    assert "store/memory.py" in checked
    found = {name: offences(path.read_text()) for name, path in checked.items()}
    assert {name: places for name, places in found.items() if places} == {}


@pytest.mark.parametrize(
    "text",
    [
        "import random",
        "import uuid as u",
        "from secrets import token_hex",
        "from time import monotonic",
        "import time\ntime.time()",
        "import asyncio\nasync def f():\n    await asyncio.sleep(1)",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime\ndatetime.utcnow()",
        "import os\nos.urandom(3)",
    ],
    ids=lambda text: text.splitlines()[-1].strip(),
)
def test_the_check_sees(text):
    assert offences(text)


@pytest.mark.parametrize(
    "text",
    ["clock.now()", "await_ = clock.sleep(1)", "import datetime\ndatetime.datetime(2026, 1, 1)", "self.time()"],
)
def test_the_check_lets_pass(text):
    assert offences(text) == []
