"""What upstream's node conformance suite asks of a node, on real containers: many small pods at once, each with its wish."""

import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steersman.kubelet import pod_files
from steersman.meta.objects import Object
from tests.containers import lab
from tests.kubelet import paper_api, world

pytestmark = [pytest.mark.root, pytest.mark.slow]

SECONDS_MOST = 40.0  # for all pods together, on a busy machine


@dataclasses.dataclass(frozen=True)
class Seen:
    """A pod that is over (or as far as the case waits for), and its first container's log."""

    status: Object
    log: str

    @property
    def first(self) -> Object:
        found: Object = self.status["containerStatuses"][0]
        return found

    @property
    def ended(self) -> Object:
        found: Object = self.first["state"]["terminated"]
        return found


@dataclasses.dataclass(frozen=True)
class Case:
    """`wish` is what must be equal to `is_so` of what was seen, once `is_far_enough`."""

    pod: Object
    is_so: Callable[[Seen], Any]
    wish: Any
    is_far_enough: Callable[[Object], bool] = lambda status: status.get("phase") in ("Succeeded", "Failed")


def shell(script: str, name: str = "main", **about: Any) -> Object:
    return world.container(name, command=["sh", "-c", script], **about)


def runs(script: str, is_so: Callable[[Seen], Any], wish: Any, *, about: Any = None, **spec: Any) -> Case:
    whole = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, **spec}
    return Case(world.pod("", containers=[shell(script, **(about or {}))], **whole), is_so, wish)


def log(seen: Seen) -> str:
    return seen.log


def message(seen: Seen) -> str | None:
    return seen.ended.get("message")


def user(seen: Seen) -> tuple[Any, ...]:
    shown = seen.first["user"]["linux"]
    return shown["uid"], shown["gid"], shown.get("supplementalGroups"), seen.log


def waits(seen: Seen) -> tuple[str, str]:
    state = seen.first["state"]["waiting"]
    return state["reason"], state["message"].partition(" (pod")[0]


def is_waiting(status: Object) -> bool:
    return any((one["state"].get("waiting") or {}).get("message") for one in status.get("containerStatuses") or [])


def all_restarted(status: Object) -> bool:
    everyone = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    return len(everyone) == 4 and all(
        one["restartCount"] == 1 and ("running" in one["state"] or one["ready"]) for one in everyone
    )


FALLBACK = {"terminationMessagePolicy": "FallbackToLogsOnError"}
EMPTY = {"volumes": [{"name": "shared", "emptyDir": {}}]}
AT_SHARED = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
NAMES = "echo $(hostname) $(hostname -f)"
GROUPS = {"supplementalGroups": [1234], "fsGroup": 999}
BEGINS_ANEW = [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}]


def variable(name: str, key: str, **about: Any) -> Object:
    source = {"volumeName": "shared", "path": "values.env", "key": key, **about}
    return {"name": name, "valueFrom": {"fileKeyRef": source}}


CASES: dict[str, Case] = {
    "an exit of 0": runs("exit 0", lambda s: (s.status["phase"], s.ended["reason"]), ("Succeeded", "Completed")),
    "an exit of 3": runs("exit 3", lambda s: (s.status["phase"], s.ended["exitCode"]), ("Failed", 3)),
    "a message at a path, not as root": runs(
        "echo -n DONE > /dev/last-words",
        message,
        "DONE",
        about={"terminationMessagePath": "/dev/last-words", "securityContext": {"runAsUser": 10000}},
    ),
    "the log as message": runs("echo DONE; false", message, "DONE\n", about=FALLBACK),
    "no message of one that did well": runs("echo DONE; true", message, None, about=FALLBACK),
    "memory taken beyond the limit": runs(
        "tail /dev/zero",
        lambda s: (s.ended["reason"], s.ended["exitCode"]),
        ("OOMKilled", 137),
        about={"resources": {"limits": {"memory": "20Mi"}}},
    ),
    "a name": runs(NAMES, log, "a-name a-name\n"),
    "a name below a domain": runs(
        NAMES, log, "a-name-below-a-domain a-name-below-a-domain.t.default.svc.cluster.local\n", subdomain="t"
    ),
    "a full name": runs(
        "hostname", log, "me.t.default.svc.cluster.local\n", hostname="me", subdomain="t", setHostnameAsFQDN=True
    ),
    "another name": runs(
        NAMES, log, "other.example other.example\n", hostnameOverride="other.example", hostname="me", subdomain="t"
    ),
    "groups beside the image's": runs(
        "id -G",
        user,
        (65534, 65534, [999, 1234, 65534], "65534 999 1234\n"),
        about={"securityContext": {"runAsUser": 65534}},
        securityContext=GROUPS,
    ),
    "a default profile": runs(
        "grep ^Seccomp: /proc/self/status",
        log,
        "Seccomp:\t2\n",
        securityContext={"seccompProfile": {"type": "RuntimeDefault"}},
    ),
    "no new privileges": runs(
        "grep NoNew /proc/self/status",
        log,
        "NoNewPrivs:\t1\n",
        about={"securityContext": {"allowPrivilegeEscalation": False}},
    ),
    "a root that cannot be written": runs(
        "touch /x 2>&1",
        log,
        "touch: /x: Read-only file system\n",
        about={"securityContext": {"readOnlyRootFilesystem": True}},
    ),
    "a sysctl": runs(
        "cat /proc/sys/kernel/shm_rmid_forced",
        log,
        "1\n",
        securityContext={"sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}]},
    ),
    "name servers of its own": runs(
        "cat /etc/resolv.conf",
        log,
        "search a.example\nnameserver 192.0.2.1\noptions ndots:2\n",
        dnsPolicy="None",
        dnsConfig={
            "nameservers": ["192.0.2.1"],
            "searches": ["a.example"],
            "options": [{"name": "ndots", "value": "2"}],
        },
    ),
    "limits of its pod": runs(
        "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us",
        lambda s: (s.status["qosClass"], s.status["resources"], s.log),
        ("Burstable", {"limits": {"cpu": "200m"}}, "20000\n"),
        resources={"limits": {"cpu": "200m"}},
    ),
    "values out of a file": runs(
        "echo $A $B",
        log,
        "one value\n",
        about={"env": [variable("A", "ONE"), variable("B", "NONE", optional=True)]},
        inits=[shell("printf \"# said\\nONE = 'one value'\\n\" > /shared/values.env", "first", **AT_SHARED)],
        **EMPTY,
    ),
    "a missing value out of a file": dataclasses.replace(
        runs(
            "exit 0",
            waits,
            ("CreateContainerConfigError", 'env file "values.env" not found in volume "shared"'),
            about={"env": [variable("A", "ONE")]},
            **EMPTY,
        ),
        is_far_enough=is_waiting,
    ),
    "root where root may not be": dataclasses.replace(
        runs(
            "exit 0",
            waits,
            ("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"),
            securityContext={"runAsNonRoot": True},
        ),
        is_far_enough=is_waiting,
    ),
    "an image from nowhere": dataclasses.replace(
        runs("exit 0", lambda s: waits(s)[0], "ErrImagePull", about={"image": "localhost:1/none:1"}),
        is_far_enough=is_waiting,
    ),
    "users of its own": runs(
        "tr -s ' ' < /proc/self/uid_map; cd /shared; touch mine; stat -c %u mine /bin/sh; hostname; ps -o args | sed -n 2p",
        log,
        " 0 65536 65536\n0\n0\nusers-of-its-own\n{sleep} /pause infinity\n",
        about=AT_SHARED,
        hostUsers=False,
        shareProcessNamespace=True,
        securityContext={"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "0"}]},
        **EMPTY,
    ),
    "the kernel's files are masked": runs(
        "grep -c ' /proc/' /proc/mounts; grep ' /proc/' /proc/mounts | grep -c ' ro[, ]'",
        lambda s: [int(one) > 0 for one in s.log.split()],
        [True, True],
    ),
    "not where its users are its own": runs(
        "grep -c ' /proc/' /proc/mounts",
        log,
        "0\n",
        about={"securityContext": {"procMount": "Unmasked"}},
        hostUsers=False,
    ),
    "the first of its processes": runs("echo $$$$", log, "1\n"),
    "one process of many": runs("test $$$$ -gt 1 && echo yes", log, "yes\n", shareProcessNamespace=True),
    "one of the machine's processes": runs("test $$$$ -gt 1 && echo yes", log, "yes\n", hostPID=True),
    "which image exactly": runs("exit 0", lambda s: s.first["imageID"].partition("@sha256:")[0], "localhost/hello"),
    "all devices for the privileged": runs(
        "test -c /dev/mem -o -b /dev/loop0 -o -c /dev/kmsg && echo there",
        log,
        "there\n",
        about={"securityContext": {"privileged": True}},
    ),
    "everything anew": dataclasses.replace(
        runs(
            "test -f /shared/again && exec sleep 1000; touch /shared/again; exit 42",
            lambda s: [one["lastState"]["terminated"]["exitCode"] for one in s.status["containerStatuses"]],
            [137, 137],
            about={"restartPolicy": "Never", "restartPolicyRules": BEGINS_ANEW, **AT_SHARED},
            inits=[shell("exit 0", "first"), shell("exec sleep 1000", "side", restartPolicy="Always")],
            **EMPTY,
        ),
        is_far_enough=all_restarted,
    ),
}
CASES["everything anew"].pod["spec"]["containers"].append(shell("exec sleep 1000", "beside"))


async def test_pods_as_upstream_runs_them(clean_machine: str, group: str, clock: Any, hello_archive: str) -> None:
    folder = Path(clean_machine) / "kubelet"
    folder.mkdir()
    wrong: dict[str, Any] = {}
    async with lab.oci_lab(clock, clean_machine, group, hello_archive) as oci:
        here = world.make(clock, folder, on_paper=False)
        here.runtime = oci.node
        here.api = paper_api.PaperApi(clock)
        async with here.running():
            await here.until(lambda: here.api.get("leases", world.NODE, "kube-node-lease"), 5)
            for name, case in CASES.items():
                here.api.put("pods", {**case.pod, "metadata": {**case.pod["metadata"], "name": _name(name)}})

            async def look(name: str, case: Case) -> None:
                await here.until(lambda: case.is_far_enough(here.status(_name(name))), SECONDS_MOST)
                seen = Seen(here.status(_name(name)), _log(here, _name(name)))
                found = case.is_so(seen)
                if found != case.wish:
                    wrong[name] = found, case.wish

            async with asyncio.TaskGroup() as group_of_looks:
                for name, case in CASES.items():
                    group_of_looks.create_task(look(name, case))
            for name in CASES:
                here.api.delete_pod(_name(name), 0)
            await here.until(lambda: not any(kind == "pods" for kind, _, _ in here.api.objects), SECONDS_MOST)
        assert not list(await oci.node.list_sandboxes())
    assert wrong == {}


def _name(case: str) -> str:
    return case.replace(" ", "-").replace(",", "")


def _log(here: world.World, name: str) -> str:
    pod = here.api.get("pods", name)
    assert pod is not None
    attempt = max((one["restartCount"] for one in here.status(name)["containerStatuses"]), default=0)
    return lab.read_log(str(pod_files.log_path(pod, "main", attempt, here.options)))
