"""The copy of crun in memory from which containers are started."""

import errno
import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from steersman.containers.oci import sealed


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "program"
    shutil.copy("/bin/true", found)
    return found


def descriptor(program: sealed.Program) -> int:
    assert program.path.startswith("/proc/self/fd/")
    return int(program.path.rpartition("/")[2])


def ends_with(program: sealed.Program) -> int:
    pid = os.posix_spawn(program.path, ["it"], {})
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_it_runs_and_cannot_be_written(file: Path):
    program = sealed.Program(str(file))
    assert ends_with(program) == 0
    with pytest.raises(PermissionError) as refused:
        os.write(os.open(program.path, os.O_RDWR), b"x")
    assert refused.value.errno == errno.EPERM
    assert not os.get_inheritable(descriptor(program))


def test_it_is_what_crun_and_runc_look_for(file: Path):
    """cloned_binary.c of both: exactly these seals."""
    seals = fcntl.fcntl(descriptor(sealed.Program(str(file))), fcntl.F_GET_SEALS)
    assert seals == fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def test_an_upgrade_is_seen(file: Path):
    program = sealed.Program(str(file))
    assert ends_with(program) == 0
    shutil.copy("/bin/false", file.parent / "new")
    (file.parent / "new").rename(file)
    assert ends_with(program) == 1


def test_a_large_program_is_started_from_its_file(file: Path):
    os.truncate(file, sealed.BYTES_MAX + 1)
    assert sealed.Program(str(file)).path == str(file)


@pytest.mark.skipif(not shutil.which("crun") or not shutil.which("strace"), reason="needs crun and strace")
def test_crun_does_not_copy_itself_again(tmp_path: Path):
    program = sealed.Program(str(shutil.which("crun")))
    number = descriptor(program)
    command = ["strace", "-f", "-e", "trace=execve,execveat", "-o", str(tmp_path / "calls"), program.path, "--version"]
    subprocess.run(command, check=True, pass_fds=[number], capture_output=True)
    assert (tmp_path / "calls").read_text().count("exec") == 1
