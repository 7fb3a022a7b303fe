"""What a real container sees and may do."""

import asyncio
import dataclasses
import os
import time
from pathlib import Path

import pytest

from steersman.aio.clock import SystemClock
from steersman.containers import runtime, syscalls
from steersman.containers.oci import OciRuntime, containers
from steersman.containers.runtime import Mount, Resources, RuntimeFailure, Security, State
from tests.containers import lab
from tests.containers.lab import FOREVER, Lab, Program

pytestmark = pytest.mark.root


def shell(text: str) -> Program:
    return dataclasses.replace(FOREVER, shell=text)


async def output(oci: Lab, text: str, sandbox_id: str = "", **wanted: object) -> str:
    """Everything a container prints until it ends."""
    container_id = await oci.run(shell(f"{text}; echo THE END"), sandbox_id, **wanted)
    found = await oci.log(container_id, lambda log: "THE END" in log)
    return found.replace("THE END\n", "")


async def test_its_pod_s_names(oci: Lab):
    dns = runtime.Dns(("10.96.0.10",), ("default.svc.cluster.local", "cluster.local"), ("ndots:5",))
    sandbox_id = await oci.sandbox("web-1", dns=dns)
    text = await output(oci, "hostname; cat /etc/hostname /etc/resolv.conf; echo $HOSTNAME", sandbox_id)
    assert text.splitlines() == [
        "web-1",
        "web-1",
        "search default.svc.cluster.local cluster.local",
        "nameserver 10.96.0.10",
        "options ndots:5",
        "web-1",
    ]


async def test_environment_and_working_directory(oci: Lab):
    text = await output(oci, "echo $VERSION $MINE; pwd", environment=(("MINE", "x y"),), working_dir="/var/tmp")
    assert text == "1 x y\n/var/tmp\n"


async def test_it_is_process_1_and_sees_no_other(oci: Lab):
    assert (await output(oci, "echo $$; ls -d /proc/[0-9]* | wc -l")).split()[0] == "1"


async def test_what_is_mounted_leaves_nothing_among_its_changes(oci: Lab, tmp_path: Path):
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    (tmp_path / "token").mkdir()
    mounts = (
        Mount("/etc/hosts", str(tmp_path / "hosts")),
        Mount("/var/run/secrets/kubernetes.io/serviceaccount", str(tmp_path / "token")),
    )
    container_id = await oci.run(mounts=mounts)
    assert list(Path(oci.node.changes_folder(container_id)).rglob("*")) == []
    plain = await output(oci, "ls -d /var/run/secrets 2>/dev/null; cat /etc/hosts")
    assert plain == "", "without a token there is no place for one, and an empty file where nobody mounts one"


async def test_it_may_join_another_s_processes(oci: Lab):
    sandbox_id = await oci.sandbox()
    target = await oci.run(sandbox_id=sandbox_id)
    text = await output(oci, "echo $$; ls -d /proc/[0-9]* | head -1", sandbox_id, name="look", processes_of=target)
    own, first = text.split()
    assert own != "1"
    assert first == "/proc/1", "the target's own"


async def test_its_user_and_groups(oci: Lab):
    security = Security(run_as_user=65534, run_as_group=3, supplemental_groups=(7, 8))
    text = await output(oci, "id -u; id -g; id -G; echo x > /dev/stderr && echo can write to stderr", security=security)
    assert text.splitlines()[:2] == ["65534", "3"]
    assert set(text.splitlines()[2].split()) == {"3", "7", "8"}
    assert "can write to stderr" in text


async def test_capabilities(oci: Lab):
    show = "grep -E 'CapEff|CapBnd' /proc/self/status | cut -f2 | sort -u"
    default = await output(oci, show)
    none = await output(oci, show, security=Security(drop_capabilities=("ALL",)))
    one = await output(oci, show, security=Security(drop_capabilities=("ALL",), add_capabilities=("NET_ADMIN",)))
    assert default.strip() == "00000000a80425fb"
    assert none.strip() == "0000000000000000"
    assert int(one, 16) == 1 << 12


async def test_the_kernel_s_knobs_are_read_only(oci: Lab):
    text = await output(oci, "(echo 1 > /proc/sys/vm/swappiness) 2>&1; ls /proc/acpi /sys/firmware | grep -v :; true")
    assert "Read-only file system" in text
    assert len([line for line in text.splitlines() if line]) == 1


async def test_a_read_only_root(oci: Lab):
    text = await output(oci, "touch /x 2>/dev/null; echo $?", security=Security(read_only_root=True))
    assert text.splitlines()[-1] == "1"


@pytest.mark.parametrize("profile", ["Unconfined", "RuntimeDefault"])
async def test_seccomp(oci: Lab, profile: str):
    security = Security(seccomp=profile, add_capabilities=("SYS_CHROOT",))
    text = await output(oci, "unshare -U true 2>/dev/null; echo $?; grep Seccomp: /proc/self/status", security=security)
    refused = profile == "RuntimeDefault"
    assert text.splitlines()[-2:] == ["1" if refused else "0", f"Seccomp:\t{'2' if refused else '0'}"]


async def test_no_new_privileges(oci: Lab):
    text = await output(oci, "grep NoNewPrivs /proc/self/status", security=Security(no_new_privileges=True))
    assert text == "NoNewPrivs:\t1\n"


async def test_privileged(oci: Lab):
    text = await output(
        oci,
        "mount -t tmpfs x /mnt 2>&1 || mkdir /mnt && mount -t tmpfs x /mnt && echo mounted; "
        "echo 60 > /proc/sys/vm/swappiness && echo written",
        security=Security(privileged=True),
    )
    assert text.splitlines()[-2:] == ["mounted", "written"]


async def test_limits_reach_the_control_group(oci: Lab):
    limits = Resources(cpu_shares=512, cpu_quota_us=20_000, memory_limit_bytes=64 << 20, pids_limit=50)
    container_id = await oci.run(resources=limits)
    [use] = await oci.node.usage()
    assert 0 < use.memory_working_set_bytes <= use.memory_bytes <= 64 << 20
    assert use.cpu_ns > 0
    found = {path.name: path.read_text().strip() for path in group_files(container_id)}
    assert found == {
        "cpu.shares": "512",
        "cpu.cfs_quota_us": "20000",
        "memory.limit_in_bytes": str(64 << 20),
        "pids.max": "50",
    }
    await oci.node.update_resources(container_id, Resources(cpu_shares=256, memory_limit_bytes=128 << 20))
    found = {path.name: path.read_text().strip() for path in group_files(container_id)}
    assert (found["cpu.shares"], found["memory.limit_in_bytes"]) == ("256", str(128 << 20))


async def test_a_pod_s_group_grows_and_shrinks_also_over_a_dead_container(oci: Lab):
    sandbox_id = await oci.sandbox(cpu_limit_millicores=200, cpu_shares=204)
    dead = await oci.run(sandbox_id=sandbox_id, resources=Resources(cpu_quota_us=20_000))
    await oci.node.stop_container(dead, 0)
    alive = await oci.run(sandbox_id=sandbox_id, resources=Resources(cpu_quota_us=10_000))
    await oci.node.update_sandbox_resources(sandbox_id, 100, 102, 0)
    [quota] = [path for path in group_files(alive) if path.name == "cpu.cfs_quota_us"]
    assert (quota.parents[1] / quota.name).read_text().strip() == "10000"


def group_files(container_id: str) -> list[Path]:
    names = ("cpu.shares", "cpu.cfs_quota_us", "memory.limit_in_bytes", "pids.max")
    if not Path("/sys/fs/cgroup/memory").exists():
        pytest.skip("needs control groups of version 1")
    # (only below the groups of this test run: others come and go while one walks)
    tops = list(Path("/sys/fs/cgroup").glob(f"*/steersman-test-{os.getpid()}-*"))
    return [path for name in names for top in tops for path in top.rglob(f"{container_id}/{name}")]


async def test_out_of_memory(oci: Lab):
    container_id = await oci.run(shell("tail /dev/zero"), resources=Resources(memory_limit_bytes=16 << 20))
    status = await oci.ended(container_id)
    assert (status.exit_code, status.reason) == (137, "OOMKilled")


async def test_a_pod_s_limit_kills_too(oci: Lab):
    sandbox_id = await oci.sandbox(memory_limit_bytes=16 << 20)
    container_id = await oci.run(shell("tail /dev/zero"), sandbox_id)
    status = await oci.ended(container_id)
    assert (status.exit_code, status.reason) == (137, "OOMKilled")


class TestStartFailures:
    async def test_a_command_that_is_not_there(self, oci: Lab):
        container_id = await oci.create(await oci.sandbox(), command=("/no/such",), args=())
        with pytest.raises(RuntimeFailure) as refused:
            await oci.node.start_container(container_id)
        assert refused.value.reason == "RunContainerError"
        assert "/no/such" in refused.value.message
        status = await oci.status(container_id)
        assert (status.state, status.exit_code, status.reason) == (State.EXITED, 128, "StartError")
        assert "/no/such" in status.message

    async def test_an_unknown_user(self, oci: Lab):
        sandbox_id = await oci.sandbox()
        with pytest.raises(RuntimeFailure) as refused:
            await oci.create(sandbox_id, security=Security(run_as_username="ghost"))
        assert refused.value.reason == "CreateContainerError"
        assert "unable to find user ghost" in refused.value.message

    async def test_a_mount_of_nothing(self, oci: Lab):
        container_id = await oci.create(await oci.sandbox(), mounts=(Mount("/x", "/no/such/path"),))
        with pytest.raises(RuntimeFailure, match="/no/such/path"):
            await oci.node.start_container(container_id)

    async def test_a_sysctl_of_the_whole_machine(self, oci: Lab):
        with pytest.raises(RuntimeFailure) as refused:
            await oci.sandbox(sysctls={"vm.swappiness": "1"})
        assert refused.value.reason == "CreatePodSandboxError"
        assert list(await oci.node.list_sandboxes()) == []


async def test_sysctls_of_the_pod(oci: Lab):
    sandbox_id = await oci.sandbox(sysctls={"net.ipv4.ip_local_port_range": "1000 2000", "kernel.shm_rmid_forced": "1"})
    text = await output(oci, "cd /proc/sys; cat net/ipv4/ip_local_port_range kernel/shm_rmid_forced", sandbox_id)
    assert text.split() == ["1000", "2000", "1"]


async def test_mounts(oci: Lab, tmp_path: Path):
    folder = tmp_path / "volume"
    folder.mkdir()
    (folder / "file").write_text("content\n")
    mounts = (Mount("/deep/below", str(folder), read_only=True), Mount("/deep", str(folder)))
    text = await output(
        oci, "cat /deep/below/file; touch /deep/new && touch /deep/below/new 2>/dev/null; echo $?", mounts=mounts
    )
    assert text.splitlines()[0] == "content"
    assert text.splitlines()[-1] == "1"
    assert (folder / "new").exists()


class TestMountsOfTheKubelet:
    """Volumes are mounted and unmounted on the host while the shim runs."""

    async def test_they_reach_a_container(self, oci: Lab, clean_machine: str):
        volume = f"{clean_machine}/data/volume"
        os.mkdir(volume)
        syscalls.mount("tmpfs", volume, "tmpfs")
        Path(volume, "file").write_text("in memory\n")
        assert await output(oci, "cat /volume/file", mounts=(Mount("/volume", volume),)) == "in memory\n"
        syscalls.unmount(volume)

    async def test_later_ones_reach_a_running_container_that_asks_for_it(self, oci: Lab, clean_machine: str):
        volume = f"{clean_machine}/data/volume"
        os.makedirs(f"{volume}/inner")
        container_id = await oci.run(mounts=(Mount("/volume", volume, propagation="rslave"),))
        syscalls.mount("tmpfs", f"{volume}/inner", "tmpfs")
        Path(volume, "inner/file").write_text("later\n")
        assert (await oci.node.exec_sync(container_id, ["cat", "/volume/inner/file"], 10)).stdout == b"later\n"
        syscalls.unmount(f"{volume}/inner")

    async def test_a_container_s_own_reach_the_host_when_it_may(self, oci: Lab, clean_machine: str):
        volume = f"{clean_machine}/data/volume"
        os.makedirs(f"{volume}/inner")
        mounts = (Mount("/volume", volume, propagation="rshared"),)
        container_id = await oci.run(mounts=mounts, security=Security(privileged=True))
        await oci.node.exec_sync(container_id, ["mount", "-t", "tmpfs", "-o", "size=1m", "x", "/volume/inner"], 10)
        assert os.path.ismount(f"{volume}/inner")
        syscalls.unmount(f"{volume}/inner")

    async def test_root_filesystems_do_not_show_on_the_host(self, oci: Lab):
        await oci.run()
        assert " - overlay overlay" not in "".join(
            line
            for line in Path("/proc/self/mountinfo").read_text().splitlines(keepends=True)
            if oci.log_folder[:-5] in line
        )


async def test_a_second_attempt_of_a_pod_shares_its_group(oci: Lab):
    first = await oci.sandbox(cgroup_parent="kubepods/podx")
    second = await oci.sandbox(cgroup_parent="kubepods/podx", attempt=1)
    container_id = await oci.run(FOREVER, second)
    await oci.node.remove_sandbox(first)
    assert (await oci.status(container_id)).state is State.RUNNING
    await oci.node.remove_sandbox(second)


async def test_containers_of_a_pod_share_network_ipc_and_memory_but_not_processes(oci: Lab):
    sandbox_id = await oci.sandbox()
    show = "for kind in net ipc uts pid mnt; do readlink /proc/self/ns/$kind; done"
    containers = [await oci.run(FOREVER, sandbox_id) for _ in range(2)]
    results = [await oci.node.exec_sync(c, ["sh", "-c", show], 10) for c in containers]
    first, second = (result.stdout.split() for result in results)
    assert [one == other for one, other in zip(first, second, strict=True)] == [True, True, True, False, False]
    await output(oci, "echo shared > /dev/shm/note", sandbox_id)
    assert await output(oci, "cat /dev/shm/note", sandbox_id) == "shared\n"


async def test_a_shared_process_namespace(oci: Lab):
    sandbox_id = await oci.sandbox(share_process_namespace=True)
    main = await oci.run(FOREVER, sandbox_id)
    text = await output(oci, "tr '\\0' ' ' < /proc/1/cmdline; echo; (ps -o comm | grep -cx sh); echo $$", sandbox_id)
    pause, shells, own = text.splitlines()
    assert pause == "/pause infinity "
    assert int(shells) >= 2  # of two containers
    assert own != "1"
    await oci.node.stop_container(main, 0)
    other = await oci.run(FOREVER, sandbox_id)
    left = await oci.node.exec_sync(other, ["ps", "-o", "comm"], 10)
    assert sorted(left.stdout.decode().split()[1:]) == ["ps", "sh", "sleep", "sleep"]  # pause is /bin/sleep


async def test_the_host_s_namespaces(oci: Lab):
    sandbox_id = await oci.sandbox(host_network=True, host_pid=True, host_ipc=True)
    text = await output(oci, "for kind in net pid ipc; do readlink /proc/self/ns/$kind; done", sandbox_id)
    assert text.split() == [str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in ("net", "pid", "ipc")]
    assert oci.node._sandboxes._network.attached == {}  # type: ignore[attr-defined]


async def test_what_it_writes_is_its_own(oci: Lab):
    sandbox_id = await oci.sandbox()
    assert await output(oci, "echo changed > /www/version; cat /www/version", sandbox_id) == "changed\n"
    assert await output(oci, "cat /www/version", sandbox_id) == "1\n"


async def test_a_hundred_layers_fit_into_one_mount(clean_machine: str, group: str, clock: SystemClock):
    from steersman.containers.images import build

    layers = [build.busybox_tree().content()]
    for number in range(100):
        tree = build.Tree()
        tree.file(f"layer-{number}", f"{number}\n")
        layers.append(tree.content())
    archive = f"{clean_machine}/many.tar"
    build.write_archive(archive, lab.IMAGE, layers, {"Cmd": ["sh"]})
    async with lab.oci_lab(clock, clean_machine, group, archive) as oci:
        assert await output(oci, "cat /layer-0 /layer-99") == "0\n99\n"


async def test_a_pod_s_limit_of_processor_time_comes_back_after_a_killing(oci: Lab):
    sandbox_id = await oci.sandbox(cpu_limit_millicores=200)
    node = oci.node
    assert isinstance(node, OciRuntime)
    container = node._containers.one(await oci.run(sandbox_id=sandbox_id, resources=Resources(cpu_quota_us=10_000)))
    hierarchy, group = node._home.facts.hierarchy, container.record.cgroup
    name = "cpu.max" if hierarchy.version == 2 else "cpu.cfs_quota_us"
    files = [Path(hierarchy.folder("cpu", one), name) for one in (group, os.path.dirname(group))]
    before = [one.read_text() for one in files]
    with node._groups.unthrottled(group):
        assert [one.read_text().split()[0] in ("-1", "max") for one in files] == [True, True]
    assert [one.read_text() for one in files] == before


@pytest.mark.slow
@pytest.mark.long
async def test_a_fork_bomb_under_a_small_limit_ends_soon(oci: Lab):
    """Each of its processes needs processor time to die, of which they have together what one has."""
    sandbox_id = await oci.sandbox(cpu_limit_millicores=200, memory_limit_bytes=100 << 20)
    limits = Resources(cpu_shares=2, cpu_quota_us=20_000, memory_limit_bytes=100 << 20)
    container_id = await oci.run(shell("b() { b | b & }; b; sleep 1000"), sandbox_id, resources=limits)

    async def are_many() -> bool:
        return sum(one.processes for one in await oci.node.usage()) > 800

    await lab.until(are_many)
    await asyncio.sleep(25)  # by then what is killed does not end by itself any more
    began = time.monotonic()
    await oci.node.stop_container(container_id, 0)
    assert time.monotonic() - began < containers.UNTHROTTLED_AFTER_SECONDS + 5
    assert (await oci.status(container_id)).exit_code == 137
