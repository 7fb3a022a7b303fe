"""config.json: what a pod and an image ask for, as the OCI specification says it."""

import dataclasses
from typing import Any

import pytest

from steersman.containers.images import users
from steersman.containers.oci import cgroups, host, seccomp, spec
from steersman.containers.runtime import ContainerConfig, Mount, Resources, Security

FACTS = host.Facts("/usr/bin/crun", cgroups.Hierarchy(1, {"memory": "/sys/fs/cgroup/memory"}), False, 0, True, 4096)
PLACE = spec.Place("/root", {"mount": "", "network": "/ns/net"}, "a/b", "/shm", "/hostname", "/resolv.conf", "web")
IMAGE = spec.ImageConfig(("/entry",), ("default",), ("PATH=/bin", "A=image"), "/work", "")
ACCOUNTS = users.Accounts(
    "root:x:0:0::/root:/bin/sh\napp:x:7:8::/home/app:/bin/sh\n", "app:x:8:\nextra:x:9:app,other\n"
)
CONFIG = ContainerConfig("c", "image")


def made(config: ContainerConfig = CONFIG, image: spec.ImageConfig = IMAGE, facts: host.Facts = FACTS) -> Any:
    return spec.container(config, image, ACCOUNTS, PLACE, facts)


@pytest.mark.parametrize(
    ("command", "args", "expected"),
    [
        ((), (), ["/entry", "default"]),
        ((), ("x",), ["/entry", "x"]),
        (("/own",), (), ["/own"]),
        (("/own",), ("x",), ["/own", "x"]),
    ],
    ids=["image's", "args replace cmd", "command drops cmd", "both"],
)
def test_command_line(command, args, expected):
    config = dataclasses.replace(CONFIG, command=command, args=args)
    assert spec.command_line(config, IMAGE) == expected


def test_a_command_is_needed():
    with pytest.raises(spec.InvalidContainer, match="no command specified"):
        made(image=spec.ImageConfig())


def test_environment_of_the_container_wins():
    config = dataclasses.replace(CONFIG, environment=(("A", "pod"), ("B", "x=y")))
    assert made(config)["process"]["env"] == ["PATH=/bin", "HOSTNAME=web", "A=pod", "B=x=y", "HOME=/root"]


@pytest.mark.parametrize(
    ("security", "image_user", "expected"),
    [
        (Security(), "", users.User(0, 0, (0,), "/root")),
        (Security(), "app", users.User(7, 8, (8, 9), "/home/app")),
        (Security(), "7", users.User(7, 8, (8, 9), "/home/app")),
        (Security(), "app:extra", users.User(7, 9, (9,), "/home/app")),
        (Security(), "123", users.User(123, 0, (0,), "/")),
        (Security(), "123:456", users.User(123, 456, (456,), "/")),
        (Security(run_as_user=123), "app", users.User(123, 0, (0,), "/")),
        (Security(run_as_user=7, run_as_group=1), "", users.User(7, 1, (1, 9), "/home/app")),
        (Security(run_as_username="app"), "", users.User(7, 8, (8, 9), "/home/app")),
        (Security(supplemental_groups=(5, 0)), "", users.User(0, 0, (0, 5), "/root")),
    ],
)
def test_users(security, image_user, expected):
    assert ACCOUNTS.find(security, image_user) == expected


@pytest.mark.parametrize("image_user", ["ghost", "app:ghosts"])
def test_unknown_users(image_user):
    with pytest.raises(users.UnknownUser, match="unable to find"):
        ACCOUNTS.find(Security(), image_user)


def test_other_users_have_no_capabilities_of_their_own():
    process = made(dataclasses.replace(CONFIG, security=Security(run_as_user=5)))["process"]
    assert process["capabilities"]["effective"] == []
    assert len(process["capabilities"]["bounding"]) == len(spec.DEFAULT_CAPABILITIES)


@pytest.mark.parametrize(
    ("security", "has", "lacks"),
    [
        (Security(), "CAP_CHOWN", "CAP_SYS_ADMIN"),
        (Security(add_capabilities=("SYS_ADMIN",)), "CAP_SYS_ADMIN", "CAP_SYS_TIME"),
        (Security(add_capabilities=("cap_sys_admin",)), "CAP_SYS_ADMIN", "CAP_SYS_TIME"),
        (Security(drop_capabilities=("CHOWN",)), "CAP_KILL", "CAP_CHOWN"),
        (Security(drop_capabilities=("ALL",), add_capabilities=("KILL",)), "CAP_KILL", "CAP_CHOWN"),
        (Security(add_capabilities=("ALL",), drop_capabilities=("CHOWN",)), "CAP_SYS_ADMIN", "CAP_CHOWN"),
        (Security(privileged=True), "CAP_SYS_ADMIN", ""),
    ],
)
def test_capabilities(security, has, lacks):
    found = spec.capabilities(security, FACTS)
    assert has in found
    assert lacks not in found


def test_nobody_gets_what_the_node_lacks():
    poor = dataclasses.replace(FACTS, capabilities=0b1)
    assert spec.capabilities(Security(privileged=True), poor) == ["CAP_CHOWN"]


@pytest.mark.parametrize(("may", "wanted", "expected"), [(True, -500, -500), (False, -500, 100), (False, 900, 900)])
def test_only_some_nodes_may_favour_a_process(may, wanted, expected):
    facts = dataclasses.replace(FACTS, may_raise_limits=may, own_oom_score_adjust=100)
    config = dataclasses.replace(CONFIG, resources=Resources(oom_score_adjust=wanted))
    assert made(config, facts=facts)["process"]["oomScoreAdj"] == expected


def test_limits():
    config = dataclasses.replace(CONFIG, resources=Resources(512, 20_000, 100_000, 1 << 20, 9))
    found = made(config)["linux"]["resources"]
    assert found["cpu"] == {"shares": 512, "quota": 20_000, "period": 100_000}
    assert found["memory"] == {"limit": 1 << 20, "swap": 1 << 20}
    assert found["pids"] == {"limit": 9}


def test_without_root_there_are_no_groups():
    found = made(facts=dataclasses.replace(FACTS, is_rootless=True, hierarchy=cgroups.NONE))
    assert not {"cgroupsPath", "resources"} & set(found["linux"])
    assert "oomScoreAdj" not in found["process"]
    assert "/sys/fs/cgroup" not in {mount["destination"] for mount in found["mounts"]}


def test_inner_mounts_come_after_outer_ones_and_replace_defaults():
    wanted = (Mount("/a/b", "/inner"), Mount("/a", "/outer", read_only=True), Mount("/etc/hostname", "/mine"))
    mounts = made(dataclasses.replace(CONFIG, mounts=wanted))["mounts"]
    places = [mount["destination"] for mount in mounts]
    assert places.index("/a") < places.index("/a/b")
    assert places.count("/etc/hostname") == 1
    assert {"destination": "/a", "type": "bind", "source": "/outer", "options": ["rbind", "rprivate", "ro"]} in mounts


@pytest.mark.parametrize(("propagation", "expected"), [("private", None), ("rslave", "rslave"), ("rshared", "shared")])
def test_propagation(propagation, expected):
    config = dataclasses.replace(CONFIG, mounts=(Mount("/a", "/x", propagation=propagation),))
    assert made(config)["linux"].get("rootfsPropagation") == expected


def test_a_privileged_container_sees_everything():
    found = made(dataclasses.replace(CONFIG, security=Security(privileged=True, seccomp="RuntimeDefault")))
    assert found["linux"]["maskedPaths"] == found["linux"]["readonlyPaths"] == []
    assert "seccomp" not in found["linux"]
    assert found["linux"]["resources"]["devices"] == [{"allow": True, "access": "rwm"}]


def test_paths_that_the_container_names_itself():
    found = made(dataclasses.replace(CONFIG, security=Security(masked_paths=(), readonly_paths=("/x",))))
    assert (found["linux"]["maskedPaths"], found["linux"]["readonlyPaths"]) == ([], ["/x"])


def test_a_capability_opens_its_system_calls():
    def denied(*capabilities: str) -> set[str]:
        profile = seccomp.runtime_default(frozenset(capabilities), "x86_64")
        assert profile is not None
        return {name for call in profile["syscalls"] if "args" not in call for name in call["names"]}

    assert {"mount", "reboot", "keyctl", "clone3"} <= denied()
    assert not {"mount", "clone3"} & denied("SYS_ADMIN")
    assert "reboot" not in denied("ALL")
    assert "keyctl" in denied("ALL")
    assert seccomp.runtime_default(frozenset(), "z80") is None


def test_an_exec_is_like_its_container():
    process = made(dataclasses.replace(CONFIG, tty=True))["process"]
    found = spec.exec_process(process, ["ls"], tty=False)
    assert (found["args"], found["terminal"], found["cwd"], found["user"]) == (["ls"], False, "/work", process["user"])
    assert not any(item.startswith("TERM=") for item in found["env"])


def test_processors_memory_nodes_and_a_common_end() -> None:
    wanted = Resources(cpus="1", memory_nodes="0", killed_together=True)
    found = spec.resources(wanted, privileged=False, version=2)
    assert (found["cpu"]["cpus"], found["cpu"]["mems"]) == ("1", "0")
    assert found["unified"] == {"memory.oom.group": "1"}
    assert "unified" not in spec.resources(wanted, privileged=False), "version 1 cannot"
    assert "unified" not in spec.resources(Resources(), privileged=False, version=2)
