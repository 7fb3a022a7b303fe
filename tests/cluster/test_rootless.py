"""The user namespace of a cluster without root: made once, held while everything else may die, entered again."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import textwrap

import pytest

from steersman.cluster import rootless

NOBODY = 65534

# Printed by a process of the user inside the namespace: uid, inode of each namespace.
PROGRAM = """
    import os, pathlib, sys
    from steersman.cluster import rootless
    rootless.enter(pathlib.Path(sys.argv[1]))
    print(os.getuid(), *(os.stat(f"/proc/self/ns/{name}").st_ino for name, _ in rootless.NAMESPACES))
"""
RELEASE = """
    import pathlib, sys
    from steersman.cluster import rootless
    rootless.release(pathlib.Path(sys.argv[1]))
"""


@pytest.fixture
def holder_file():
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    folder = pathlib.Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    # The checkout may lie where the other user cannot read: the one module needed is copied beside.
    package = folder / "src" / "steersman" / "cluster"
    package.mkdir(parents=True)
    source = pathlib.Path(sys.modules["steersman"].__path__[0]) / "cluster" / "rootless.py"
    shutil.copy(source, package)
    try:
        yield folder / "holder.pid"
    finally:
        as_nobody(RELEASE, folder / "holder.pid")
        shutil.rmtree(folder)


def as_nobody(program: str, holder_file: pathlib.Path) -> str:
    done = subprocess.run(
        ["/usr/bin/env", "python3", "-B", "-c", textwrap.dedent(program), str(holder_file)],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        env={"PYTHONPATH": str(holder_file.parent / "src"), "PATH": "/usr/bin:/bin"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.root
@pytest.mark.slow
def test_entered_twice_it_is_the_same_and_released_it_ends(holder_file):
    first = as_nobody(PROGRAM, holder_file)
    assert first.startswith("0 "), "root inside"
    assert as_nobody(PROGRAM, holder_file) == first
    pid = rootless.holder(holder_file)
    assert pid
    as_nobody(RELEASE, holder_file)
    assert rootless.holder(holder_file) == 0
    assert as_nobody(PROGRAM, holder_file) != first


@pytest.mark.root
def test_a_holder_file_that_names_a_stranger_is_not_believed(holder_file):
    holder_file.write_text(f"{os.getpid()} 12345\n")
    assert rootless.holder(holder_file) == 0
    holder_file.write_text("nonsense")
    assert rootless.holder(holder_file) == 0
    holder_file.unlink()
