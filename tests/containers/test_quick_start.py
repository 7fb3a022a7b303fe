"""Containers that the shim makes itself, held against crun's."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from steersman.aio.clock import SystemClock
from steersman.containers import syscalls
from steersman.containers.oci import cgroups, embryo, quick_plan, shim
from steersman.containers.runtime import Mount, Resources, RuntimeFailure, Security, State
from tests.containers import lab
from tests.containers.lab import FOREVER, Lab
from tests.containers.test_oci_container import output, shell
from tests.containers.test_oci_survival import shim_pid

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        not embryo.is_possible() or not shutil.which("crun") or not Path("/sys/fs/cgroup/devices").exists(),
        reason="needs crun, x86_64 and control groups of version 1",
    ),
]


@pytest.fixture
async def both(
    clean_machine: str, group: str, clock: SystemClock, hello_archive: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Lab, Lab]]:
    """One runtime whose containers the shim makes, and one whose containers crun makes."""
    plan = quick_plan.plan
    monkeypatch.setattr(
        quick_plan, "plan", lambda made, facts: None if "/crun/" in made["root"]["path"] else plan(made, facts)
    )
    folders = [Path(clean_machine, name) for name in ("quick", "crun")]
    for folder in folders:
        folder.mkdir(0o711)
    async with (
        lab.oci_lab(clock, str(folders[0]), f"{group}/quick", hello_archive) as quick,
        lab.oci_lab(clock, str(folders[1]), f"{group}/crun", hello_archive) as by_crun,
    ):
        yield quick, by_crun
    cgroups.remove(cgroups.detect(Path("/proc/self/mountinfo").read_text()), group)


def was_made_by_crun(folder: str, container_id: str) -> bool:
    return Path(folder, "run", "crun", container_id).exists()


def alike(text: str) -> str:
    """Without what two runtimes differ in: their folders, ids, numbers of processes, mounts and devices."""
    text = re.sub(r"/(quick|crun)/", "/", text)
    text = re.sub(r"[0-9a-f]{32}", "ID", text)
    text = text.replace("SigIgn:\t0000000180000000", "SigIgn:\t0000000000000000")  # (crun ignores the C library's own)
    return re.sub(r"0:\d+", "DEVICE", text)


QUESTIONS = {
    "identity": "grep -E '^(Uid|Gid|Groups|Cap|NoNew|Seccomp|NSpid|NSpgid|NSsid|Umask|SigBlk|SigIgn|SigCgt)' /proc/self/status",
    "limits": "cat /proc/self/limits | grep -v -E 'pending|processes'; cat /proc/1/oom_score_adj",
    "environment": "env | grep -v SHLVL | sort; pwd; hostname; tty; echo $$",
    "devices": "ls -l /dev | awk '{print $1,$3,$4,$5,$6,$NF}' | sort; ls -l /dev/pts /dev/shm | cut -c1-30",
    "descriptors": "ls -l /proc/1/fd | sed 's/.* -> //'",
    "groups": "cut -d: -f2- /proc/self/cgroup | sort; ls /sys/fs/cgroup | grep -v net_",
    "device rules": "sort /sys/fs/cgroup/devices/devices.list",
    "group limits": "cd /sys/fs/cgroup; cat cpu/cpu.shares cpu/cpu.cfs_quota_us memory/memory.limit_in_bytes pids/pids.max"
    " cpuset/cpuset.cpus",
    "hidden": "ls -A /proc/acpi /sys/firmware; cat /proc/keys /proc/timer_list"
    "; for one in /proc/sys/kernel/domainname /proc/sysrq-trigger"
    " /sys/kernel/x; do (echo x > $one) 2>&1 | sed 's/.*: //'; done",
    "what it may": "mknod /tmp/sda b 8 0 2>&1; head -c1 /tmp/sda 2>&1; chown 5 /tmp/sda 2>&1; mount -t tmpfs x /mnt 2>&1",
    "streams": "echo one > /dev/stdout; echo two > /proc/self/fd/2; cat < /dev/null; ls -l /dev/null | cut -c1-30",
}


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param({}, id="root"),
        pytest.param(
            {
                "security": Security(
                    run_as_user=1000, run_as_group=2000, supplemental_groups=(3000,), no_new_privileges=True
                ),
                "working_dir": "/var/tmp",
            },
            id="a user",
        ),
        pytest.param(
            {
                "security": Security(
                    add_capabilities=("NET_ADMIN",), drop_capabilities=("MKNOD",), read_only_root=True
                ),
                "resources": Resources(cpu_shares=77, cpu_quota_us=50_000, memory_limit_bytes=64 << 20, pids_limit=99),
            },
            id="limits and capabilities",
        ),
    ],
)
async def test_what_it_sees_and_may(both: tuple[Lab, Lab], wanted: dict[str, Any]):
    asked = "; ".join(f"echo '== {name}'; ({text})" for name, text in QUESTIONS.items())
    found = [alike(await output(one, asked + " 2>&1", **wanted)) for one in both]
    assert found[0].count("==") == len(QUESTIONS)
    assert found[0] == found[1]


@pytest.fixture
def started_in_the_background() -> Iterator[None]:
    """As by a shell's `&`, which has SIGQUIT ignored."""
    before = signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGQUIT, before)


@pytest.mark.usefixtures("started_in_the_background")
async def test_it_ignores_no_signal_because_whoever_started_us_does(both: tuple[Lab, Lab]):
    assert (await output(both[0], "grep SigIgn /proc/self/status")).split() == ["SigIgn:", "0" * 16]


async def test_its_mounts(both: tuple[Lab, Lab], tmp_path: Path):
    (tmp_path / "file").write_text("text\n")
    (tmp_path / "folder").mkdir()
    mounts = (
        Mount("/etc/hosts", str(tmp_path / "file")),
        Mount("/data", str(tmp_path / "folder"), read_only=True),
        Mount("/new/place/file", str(tmp_path / "file")),
        Mount("/dev/termination-log", str(tmp_path / "file")),
    )
    found: list[dict[str, tuple[str, ...]]] = []
    for one in both:
        lines = (await output(one, "cat /proc/self/mountinfo", mounts=mounts)).splitlines()
        points = {fields[4]: (fields[5], fields[fields.index("-") + 1]) for fields in map(str.split, lines)}
        assert not any(field.startswith(("shared:", "master:")) for line in lines for field in line.split())
        found.append({at: what for at, what in points.items() if not at.startswith("/proc/")})
        hidden = {at: options.split(",")[0] for at, (options, _) in points.items() if at.startswith("/proc/")}
        assert hidden.pop("/proc/sysrq-trigger", "ro") == "ro"
        assert set(hidden.values()) == {"ro"}
        found[-1].pop("/sys/fs/cgroup")  # crun leaves the empty part of it writable
        found[-1] |= {"hidden": tuple(sorted(hidden))}
    assert found[0] == found[1]


async def test_crun_is_not_asked(oci: Lab, clean_machine: str):
    container_id = await oci.run()
    assert not was_made_by_crun(clean_machine, container_id)
    pid = (await oci.status(container_id)).pid
    assert Path(f"/proc/{pid}/comm").read_text() == "sh\n"


async def test_what_cannot_be_started_is_crun_s_to_explain(oci: Lab):
    with pytest.raises(Exception, match=r"executable file `nonsuch` not found in \$PATH"):
        await oci.run(command=("nonsuch",), args=())


async def test_a_working_directory_that_is_not_there_is_made(oci: Lab):
    assert await output(oci, "pwd", working_dir="/not/there") == "/not/there\n"


async def test_commands_are_executed_in_it_by_crun(oci: Lab):
    container_id = await oci.run(resources=Resources(pids_limit=50))
    for _ in range(2):
        answer = await oci.node.exec_sync(container_id, ["sh", "-c", "cat /proc/1/comm; cat /proc/self/cgroup"], 10)
        assert answer.exit_code == 0
        comm, *groups = answer.stdout.decode().split()
        assert comm == "sh"
        own = {line.rpartition("/")[2] for line in groups if not line.startswith("0::")}
        assert own == {container_id}


async def test_root_in_it_reaches_no_descriptor_of_the_node(oci: Lab):
    """CVE-2024-21626: neither the working directory nor the program by way of what the shim had open."""
    for number in range(3, 40):
        with pytest.raises(Exception, match=r"chdir|not found|No such file|Not a directory"):
            await oci.run(working_dir=f"/proc/self/fd/{number}")
    for number in range(3, 40):
        with pytest.raises(Exception, match=r"(?i)no such file|not a directory|permission denied|not found"):
            await oci.run(command=(f"/proc/self/fd/{number}/../../../../../bin/true",), args=())


async def test_root_in_it_cannot_write_the_shim_s_program(oci: Lab, clean_machine: str):
    """CVE-2019-5736: what `/proc/self/exe` is while the shim becomes a container."""
    shim = shim_pid(clean_machine)
    assert os.statvfs(f"/proc/{shim}/exe").f_flag & os.ST_RDONLY
    with pytest.raises(OSError, match=r"Read-only|Text file busy"):
        os.open(f"/proc/{shim}/exe", os.O_WRONLY)


async def test_a_link_in_the_image_leads_nowhere_else(oci: Lab, tmp_path: Path):
    """What is mounted goes to where the link leads inside the root filesystem, as crun does it."""
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "out").symlink_to("/../../../../etc")
    mounts = (Mount("/v", str(tmp_path / "volume")), Mount("/v/out/marker", str(tmp_path / "volume")))
    text = await output(oci, "ls -d /etc/marker/out", mounts=mounts)
    assert text == "/etc/marker/out\n"
    assert not Path("/etc/marker").exists()


@pytest.mark.parametrize("name", ["proc", "sys"])
async def test_the_kernel_s_file_systems_go_onto_folders_only(oci: Lab, clean_machine: str, tmp_path: Path, name: str):
    """CVE-2019-19921: what is hidden in /proc would be hidden where a link of another container's volume leads to by then."""
    (tmp_path / "volume" / "there").mkdir(parents=True)
    mounts = (Mount("/volume", str(tmp_path / "volume")),)
    container_id = await oci.create(await oci.sandbox(), mounts=mounts)
    (upper,) = Path(clean_machine).glob(f"**/containers/{container_id}/upper")
    (upper / name).symlink_to("/volume/there")
    with pytest.raises(Exception, match=f"the target `/{name}` is invalid"):
        await oci.node.start_container(container_id)


async def test_arguments_larger_than_its_memory_leave_the_shim_alive(oci: Lab, clean_machine: str):
    sandbox_id = await oci.sandbox()
    parent = shim_pid(clean_machine)
    environment = tuple((f"N{number}", "x" * 100_000) for number in range(10))
    for limit in (200_000, 400_000, 1_000_000):
        with contextlib.suppress(RuntimeFailure):  # crun, asked then, may get it done
            await oci.run(FOREVER, sandbox_id, resources=Resources(memory_limit_bytes=limit), environment=environment)
        assert os.path.exists(f"/proc/{parent}/exe")


@pytest.fixture
def hung(clean_machine: str) -> Iterator[tuple[str, int]]:
    """A volume, mounted before there is a shim, and the process that serves it."""
    program = shutil.which("fuse-overlayfs")
    if program is None:
        pytest.skip("needs fuse-overlayfs")
    lower, volume = Path(clean_machine, "lower"), Path(clean_machine, "volume")
    lower.mkdir()
    volume.mkdir()
    server = subprocess.Popen([program, "-f", "-o", f"lowerdir={lower}", str(volume)], stderr=subprocess.DEVNULL)
    while not os.path.ismount(volume):
        assert server.poll() is None
    yield str(volume), server.pid
    server.kill()
    server.wait()
    syscalls.unmount(str(volume))


@pytest.mark.slow
async def test_a_volume_that_does_not_answer_keeps_nobody_waiting(hung: tuple[str, int], oci: Lab):
    """Working directories are on a file system whose server hangs, for as many containers as are made at once."""
    volume, server = hung
    mounts = (Mount("/volume", volume),)
    names = [
        await oci.create(await oci.sandbox(), mounts=mounts, working_dir="/volume/on/it")
        for _ in range(shim.STARTING_MAX)
    ]
    os.kill(server, signal.SIGSTOP)
    hanging = [asyncio.ensure_future(oci.node.start_container(name)) for name in names]
    try:
        await oci.run()
        assert not any(one.done() for one in hanging)
    finally:
        os.kill(server, signal.SIGCONT)
        await asyncio.gather(*hanging, return_exceptions=True)


async def test_many_starts_leave_nothing_in_the_shim(oci: Lab, clean_machine: str):
    sandbox_id = await oci.sandbox()
    parent = shim_pid(clean_machine)

    async def start(count: int) -> tuple[int, int]:
        names = [await oci.create(sandbox_id, shell("exit 0")) for _ in range(count)]
        await asyncio.gather(*map(oci.node.start_container, names))
        for name in names:
            await oci.ended(name)
            await oci.node.remove_container(name)
        return len(os.listdir(f"/proc/{parent}/fd")), len(os.listdir(f"/proc/{parent}/task"))

    assert await start(4) == await start(30)


async def test_short_ones_leave_the_shim_alive(oci: Lab, clean_machine: str):
    sandbox_id = await oci.sandbox()
    shim = shim_pid(clean_machine)
    for _ in range(20):
        container_id = await oci.run(shell("exit 3"), sandbox_id)
        assert (await oci.ended(container_id)).exit_code == 3
        await oci.node.remove_container(container_id)
    assert shim_pid(clean_machine) == shim


async def test_the_next_shim_finds_one_that_was_not_written_down(
    clean_machine: str, group: str, clock: SystemClock, hello_archive: str
):
    """A shim killed between a start and its record: the number of its process stands there before that has its program."""
    async with lab.oci_lab(clock, clean_machine, group, hello_archive) as oci:
        container_id = await oci.run()
        pid = (await oci.status(container_id)).pid
        folder = Path(clean_machine, "run", "containers", container_id)
        shim = shim_pid(clean_machine)
        (folder / "started.json").unlink()
        os.kill(shim, 9)

        async def is_found() -> bool:
            return (folder / "started.json").exists()

        await lab.until(is_found)
        assert int((folder / "pid").read_text()) == pid
        assert (await oci.status(container_id)).state is State.RUNNING
