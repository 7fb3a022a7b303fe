"""What a container is given and shows, as upstream's test/e2e/common/node asks for: commands, environment, names, users, rights."""

import json
from typing import Any

import pytest

from steersman.api import kinds
from steersman.meta.objects import Object
from tests.clients.node.lab import (
    Case,
    Lab,
    Stories,
    Story,
    condition,
    restarts,
    runs,
    shell,
    state,
    waits,
)

pytestmark = [pytest.mark.root, pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(300)]


def is_waiting(seen: Object) -> bool:
    return any(
        "message" in state(seen, "waiting", one["name"]) for one in seen["status"].get("containerStatuses") or ()
    )


def why_it_waits(seen: Object, _: str) -> tuple[str, str]:
    return waits(seen)


def waits_for(wish: tuple[str, str], **about: Any) -> Case:
    return runs("exit 0", wish, why_it_waits, is_far_enough=is_waiting, **about)


def ended(seen: Object, _: str) -> tuple[Any, ...]:
    told = state(seen, "terminated")
    return seen["status"]["phase"], told["exitCode"], told["reason"], told.get("message", "")


def field(path: str) -> Object:
    return {"valueFrom": {"fieldRef": {"fieldPath": path}}}


def amount(resource: str, **about: Any) -> Object:
    return {"valueFrom": {"resourceFieldRef": {"resource": resource, **about}}}


def key_of_file(key: str, **about: Any) -> Object:
    return {"valueFrom": {"fileKeyRef": {"volumeName": "files", "path": "a.env", "key": key, **about}}}


def env(**variables: Object | str) -> list[Object]:
    return [{"name": name, **(one if isinstance(one, dict) else {"value": one})} for name, one in variables.items()]


def secure(**about: Any) -> Object:
    return {"securityContext": about}


def writes(**values: str) -> list[Object]:
    """An init container that leaves a file of variables."""
    lines = "".join(f"{name}='{value}'\\n" for name, value in values.items())
    return [shell(f'printf "{lines}" > /files/a.env', "first", volumeMounts=[{"name": "files", "mountPath": "/files"}])]


FILES: Object = {"volumes": [{"name": "files", "emptyDir": {}}]}
SHOWS = "echo $A:$B:$C:$D"
LAST_WORDS = {"terminationMessagePath": "/dev/last-words"}
FALLBACK = {"terminationMessagePolicy": "FallbackToLogsOnError"}
AGAIN_AFTER_42 = [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]
CREATE_ERROR = "CreateContainerConfigError"

CASES: dict[str, Case] = {
    # containers.go
    "arguments for the image's command": runs("", "x y\n", main={"command": ["echo"], "args": ["x", "y"]}),
    "a command that is not there": runs(
        "",
        ("Failed", 128, "StartError"),
        lambda s, _: (s["status"]["phase"], state(s, "terminated")["exitCode"], state(s, "terminated")["reason"]),
        main={"command": ["/none"]},
    ),
    # expansion.go
    "variables in arguments and in variables": runs(
        "",
        "one;;one $(B) $(NONE) $(A)\n",
        main={"command": ["echo"], "args": ["$(A);;$(B) $$(B) $(NONE) $$(A)"], "env": env(A="one", B="$(A)")},
    ),
    # configmap.go, secrets.go
    "keys of a ConfigMap and of a Secret": runs(
        SHOWS + "; env | grep ^p_ | sort",
        "value-1:secret-1::\np_data_1=value-1\np_data_2=value-2\n",
        main={
            "env": env(
                A={"valueFrom": {"configMapKeyRef": {"name": "some", "key": "data_1"}}},
                B={"valueFrom": {"secretKeyRef": {"name": "hidden", "key": "one"}}},
                C={"valueFrom": {"configMapKeyRef": {"name": "none", "key": "none", "optional": True}}},
                D={"valueFrom": {"secretKeyRef": {"name": "hidden", "key": "none", "optional": True}}},
            ),
            "envFrom": [{"prefix": "p_", "configMapRef": {"name": "some"}}],
        },
    ),
    "a ConfigMap that is not there": waits_for(
        (CREATE_ERROR, 'configmap "none" not found'),
        main={"env": env(A={"valueFrom": {"configMapKeyRef": {"name": "none", "key": "one"}}})},
    ),
    "a Secret that is not there": waits_for(
        (CREATE_ERROR, 'secret "none" not found'), main={"envFrom": [{"secretRef": {"name": "none"}}]}
    ),
    "a key that is not there": waits_for(
        (CREATE_ERROR, "couldn't find key none in ConfigMap node-containers/some"),
        main={"env": env(A={"valueFrom": {"configMapKeyRef": {"name": "some", "key": "none"}}})},
    ),
    "a secret key that is not there": waits_for(
        (CREATE_ERROR, "couldn't find key none in Secret node-containers/hidden"),
        main={"env": env(A={"valueFrom": {"secretKeyRef": {"name": "hidden", "key": "none"}}})},
    ),
    # downwardapi.go
    "what a pod may know of itself": runs(
        "echo $NAME $SPACE ${#LONG} $ACCOUNT; test $IP = $IPS && test $HOST = $HOSTS; echo $?",
        "what-a-pod-may-know-of-itself node-containers 36 default\n0\n",
        main={
            "env": env(
                NAME=field("metadata.name"),
                SPACE=field("metadata.namespace"),
                LONG=field("metadata.uid"),
                ACCOUNT=field("spec.serviceAccountName"),
                IP=field("status.podIP"),
                IPS=field("status.podIPs"),
                HOST=field("status.hostIP"),
                HOSTS=field("status.hostIPs"),
            ),
        },
    ),
    "amounts of a container": runs(
        SHOWS,
        "2:67108864:1:32\n",
        main={
            "resources": {"limits": {"cpu": "1250m", "memory": "64Mi"}, "requests": {"cpu": "250m", "memory": "32Mi"}},
            "env": env(
                A=amount("limits.cpu"),
                B=amount("limits.memory"),
                C=amount("requests.cpu"),
                D=amount("requests.memory", divisor="1Mi"),
            ),
        },
    ),
    "a label and an annotation": runs(
        SHOWS,
        "red:big::\n",
        labels={"colour": "red"},
        annotations={"size/of": "big"},
        main={"env": env(A=field("metadata.labels['colour']"), B=field("metadata.annotations['size/of']"))},
    ),
    # file_key.go
    "values out of a file": runs(
        SHOWS,
        "value1:value2::\n",
        initContainers=writes(ONE="value1", TWO="value2"),
        main={"env": env(A=key_of_file("ONE"), B=key_of_file("TWO"), C=key_of_file("NONE", optional=True))},
        **FILES,
    ),
    "an optional file that is not there": runs(
        SHOWS, ":::\n", main={"env": env(A=key_of_file("ONE", path="none", optional=True))}, **FILES
    ),
    "a value that is not in its file": waits_for(
        (CREATE_ERROR, 'environment variable key "TWO" not found in file "a.env"'),
        initContainers=writes(ONE="value1"),
        main={"env": env(A=key_of_file("TWO"))},
        **FILES,
    ),
    "a value for an init container": runs(
        "exit 0",
        "value1:::\n",
        initContainers=[*writes(ONE="value1"), shell(SHOWS, "second", env=env(A=key_of_file("ONE")))],
        log_of="second",
        **FILES,
    ),
    "a value for a hook": runs(
        "until test -f /said; do sleep 0.1; done; cat /said",
        "hook value1\n",
        initContainers=writes(ONE="value1"),
        main={
            "env": env(A=key_of_file("ONE")),
            "lifecycle": {
                "postStart": {"exec": {"command": ["sh", "-c", "echo hook $A > /said.new; mv /said.new /said"]}}
            },
        },
        **FILES,
    ),
    # pod_hostnameoverride.go, pod_hostnamefqdn.go
    "a name of its own choice": runs(
        "echo $(hostname) $(hostname -f)",
        "a.example.host a.example.host\n",
        hostnameOverride="a.example.host",
        hostname="b",
        subdomain="t",
    ),
    "a full name": runs(
        "echo $(hostname) $(hostname -f)",
        "me.t.node-containers.svc.cluster.local me.t.node-containers.svc.cluster.local\n",
        hostname="me",
        subdomain="t",
        setHostnameAsFQDN=True,
    ),
    "a name below a domain": runs(
        "echo $(hostname) $(hostname -f)", "me me.t.node-containers.svc.cluster.local\n", hostname="me", subdomain="t"
    ),
    "a name that is too long": runs("echo $(hostname)", "a" * 63 + "\n", hostname="a" * 63, subdomain="t"),
    # kubelet_etc_hosts.go, kubelet.go
    "a hosts file with aliases": runs(
        "sed -n '1p;/foo/p' /etc/hosts; stat -c %a /etc/hosts",
        "# Kubernetes-managed hosts file.\n123.45.67.89\tfoo\tbar\n644\n",
        hostAliases=[{"ip": "123.45.67.89", "hostnames": ["foo", "bar"]}],
    ),
    "a hosts file of the host": runs(
        "head -1 /etc/hosts", "# Kubernetes-managed hosts file (host network).\n", hostNetwork=True
    ),
    "a hosts file of one's own": runs(
        "wc -c < /etc/hosts",
        "0\n",
        initContainers=[shell("touch /files/hosts", "first", volumeMounts=[{"name": "files", "mountPath": "/files"}])],
        main={"volumeMounts": [{"name": "files", "mountPath": "/etc/hosts", "subPath": "hosts"}]},
        **FILES,
    ),
    "a command that always fails": runs("false", ("Failed", 1, "Error", ""), ended),
    "a root that cannot be written": runs(
        "touch /x 2>&1; touch /tmp/x 2>&1",
        "touch: /x: Read-only file system\ntouch: /tmp/x: Read-only file system\n",
        main=secure(readOnlyRootFilesystem=True),
    ),
    # runtime.go
    "a message at a path": runs(
        "echo -n DONE > /dev/last-words", ("Succeeded", 0, "Completed", "DONE"), ended, main=LAST_WORDS
    ),
    "a message at a path, not as root": runs(
        "echo -n DONE > /dev/last-words",
        ("Succeeded", 0, "Completed", "DONE"),
        ended,
        main={**LAST_WORDS, **secure(runAsUser=10000)},
    ),
    "the log as a message": runs("echo -n DONE; false", ("Failed", 1, "Error", "DONE"), ended, main=FALLBACK),
    "no message of one that did well": runs("echo -n DONE", ("Succeeded", 0, "Completed", ""), ended, main=FALLBACK),
    "a message although there is a log": runs(
        "echo no; echo -n OK > /dev/termination-log", ("Succeeded", 0, "Completed", "OK"), ended, main=FALLBACK
    ),
    "a long message": runs(
        "head -c 5000 /dev/zero | tr '\\0' a > /dev/termination-log", 4096, lambda s, _: len(ended(s, "")[3])
    ),
    "a long log as a message": runs(
        "head -c 5000 /dev/zero | tr '\\0' a; false", 2048, lambda s, _: len(ended(s, "")[3]), main=FALLBACK
    ),
    "a wrong name of an image": waits_for(
        (
            "InvalidImageName",
            'Failed to apply default image tag "some/Image": couldn\'t parse image name "some/Image": '
            "invalid reference format: repository name (some/Image) must be lowercase",
        ),
        main={"image": "some/Image"},
    ),
    "an image that is never pulled": waits_for(
        ("ErrImageNeverPull", 'Container image "localhost/none:1" is not present with pull policy of Never'),
        main={"image": "localhost/none:1", "imagePullPolicy": "Never"},
    ),
    # security_context.go, sysctl.go, privileged.go
    "a user and a group": runs("id -u; id -g", "1000\n3000\n", securityContext={"runAsUser": 1000, "runAsGroup": 3000}),
    "a container's user before its pod's": runs(
        "id -u", "1002\n", securityContext={"runAsUser": 1001}, main=secure(runAsUser=1002)
    ),
    "groups of a pod": runs("id -G", "0 1234 5678\n", securityContext={"supplementalGroups": [1234, 5678]}),
    "a user by number where root may not be": runs("id -u", "1234\n", main=secure(runAsNonRoot=True, runAsUser=1234)),
    "root where root may not be": waits_for(
        (CREATE_ERROR, "container's runAsUser breaks non-root policy"), main=secure(runAsNonRoot=True, runAsUser=0)
    ),
    "an image of root where root may not be": waits_for(
        (CREATE_ERROR, "container has runAsNonRoot and image will run as root"), main=secure(runAsNonRoot=True)
    ),
    "no rights of the privileged": runs(
        "ip link add dummy0 type bridge 2>&1 | tail -1; grep CapEff /proc/self/status",
        "ip: RTNETLINK answers: Operation not permitted\nCapEff:\t00000000a80425fb\n",
    ),
    "rights of the privileged": runs(
        "ip link add dummy0 type bridge && ip link show dummy0 | grep -c dummy0", "1\n", main=secure(privileged=True)
    ),
    "a capability more and all others less": runs(
        "grep CapEff /proc/self/status",
        "CapEff:\t0000000000001000\n",
        main=secure(capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}),
    ),
    "no new privileges": runs(
        "grep NoNew /proc/self/status", "NoNewPrivs:\t1\n", main=secure(allowPrivilegeEscalation=False, runAsUser=1000)
    ),
    "new privileges where nothing is said": runs(
        "grep NoNew /proc/self/status", "NoNewPrivs:\t0\n", main=secure(runAsUser=1000)
    ),
    "no profile": runs(
        "grep ^Seccomp: /proc/self/status", "Seccomp:\t0\n", main=secure(seccompProfile={"type": "Unconfined"})
    ),
    "a default profile for the pod": runs(
        "grep ^Seccomp: /proc/self/status",
        "Seccomp:\t2\n",
        securityContext={"seccompProfile": {"type": "RuntimeDefault"}},
    ),
    "unmasked proc": runs(
        "mount | grep -c ' on /proc/'",
        "0\n",
        hostUsers=False,
        main=secure(procMount="Unmasked"),
    ),
    "masked proc": runs("test -s /proc/timer_list || echo masked", "masked\n"),
    "a safe sysctl": runs(
        "cat /proc/sys/kernel/shm_rmid_forced",
        "1\n",
        securityContext={"sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}]},
    ),
    "a safe sysctl with slashes": runs(
        "cat /proc/sys/kernel/shm_rmid_forced",
        "1\n",
        securityContext={"sysctls": [{"name": "kernel/shm_rmid_forced", "value": "1"}]},
    ),
    "a sysctl that is not safe": runs(
        "exit 0",
        ("Failed", "SysctlForbidden", 'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted'),
        lambda s, _: (s["status"]["phase"], s["status"]["reason"], s["status"]["message"]),
        securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "10000000000"}]},
    ),
    "processes of the host": runs("test $(cat /proc/1/comm) = sh || echo host", "host\n", hostPID=True),
    "processes of its own": runs("test $(cat /proc/1/comm) = sh && echo own", "own\n"),
    "processes shared": runs(
        r"find() { ps -o pid,args | sed -n 's/^ *\([0-9]*\) [s]leep 471147/\1/p'; }; "
        'until test -n "$(find)"; do sleep 0.1; done; kill $(find); ps -o args | sed -n 2p',
        ("{sleep} /pause infinity\n", 143),
        lambda s, log: (log, state(s, "terminated", "other")["exitCode"]),
        others=[shell("exec sleep 471147", "other")],
        shareProcessNamespace=True,
    ),
    # container.go, init_container.go
    "init containers of a pod that ends": runs(
        "exit 0",
        ("Succeeded", ["Completed", "Completed"], "True"),
        lambda s, _: (
            s["status"]["phase"],
            [one["state"]["terminated"]["reason"] for one in s["status"]["initContainerStatuses"]],
            condition(s, "Initialized")["status"],
        ),
        initContainers=[shell("true", "first"), shell("true", "second")],
    ),
    "an init container that fails for good": runs(
        "exit 0",
        (
            "Failed",
            1,
            "PodInitializing",
            "False",
            "ContainersNotInitialized",
            "containers with incomplete status: [first second]",
        ),
        lambda s, _: (
            s["status"]["phase"],
            state(s, "terminated", "first")["exitCode"],
            state(s, "waiting", "main").get("reason"),
            condition(s, "Initialized")["status"],
            condition(s, "Initialized")["reason"],
            condition(s, "Initialized")["message"],
        ),
        initContainers=[shell("false", "first"), shell("true", "second")],
    ),
    "an init container that fails again and again": runs(
        "exit 0",
        ("Pending", 1, "False", "ContainersNotInitialized", "containers with incomplete status: [first]"),
        lambda s, _: (
            s["status"]["phase"],
            restarts(s, "first"),
            condition(s, "Initialized")["status"],
            condition(s, "Initialized")["reason"],
            condition(s, "Initialized")["message"],
        ),
        initContainers=[shell("false", "first")],
        is_far_enough=lambda s: restarts(s, "first") == 1 and waits(s, "first")[0] == "CrashLoopBackOff",
        restartPolicy="Always",
    ),
    # container_restart_policy.go
    "a rule that restarts": runs(
        "exit 42",
        1,
        lambda s, _: restarts(s),
        is_far_enough=restarts,
        main={"restartPolicy": "Never", "restartPolicyRules": AGAIN_AFTER_42},
    ),
    "a rule that does not fit": runs(
        "exit 1",
        ("Failed", 0),
        lambda s, _: (s["status"]["phase"], restarts(s)),
        main={"restartPolicy": "Never", "restartPolicyRules": AGAIN_AFTER_42},
    ),
    "a container that never restarts in a pod that does": runs(
        "exit 1",
        ("Failed", 0),
        lambda s, _: (s["status"]["phase"], restarts(s)),
        restartPolicy="Always",
        main={"restartPolicy": "Never"},
    ),
    "a container that restarts in a pod that never does": runs(
        "exit 1", 1, lambda s, _: restarts(s), is_far_enough=restarts, main={"restartPolicy": "Always"}
    ),
}


async def makes_what_is_read(lab: Lab) -> None:
    await lab.create(
        kinds.CONFIG_MAP, {"metadata": {"name": "some"}, "data": {"data_1": "value-1", "data_2": "value-2"}}
    )
    await lab.create(kinds.SECRET, {"metadata": {"name": "hidden"}, "stringData": {"one": "secret-1"}})


async def profiles_of_the_node(lab: Lab) -> None:
    """Localhost: a file of the kubelet's folder."""
    folder = lab.cluster.folder / "data" / "nodes" / "node1" / "kubelet" / "seccomp"
    folder.mkdir(exist_ok=True)
    denied = [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]
    (folder / "no-folders.json").write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": denied}))
    for name in ("no-folders", "none"):
        profile = {"type": "Localhost", "localhostProfile": f"{name}.json"}
        await lab.pod(f"profile-{name}", shell("mkdir /x 2>&1", **secure(seccompProfile=profile)))
    await lab.ended("profile-no-folders")
    assert await lab.log("profile-no-folders") == "mkdir: can't create directory '/x': Operation not permitted\n"
    seen = await lab.until("profile-none", is_waiting)
    path = folder / "none.json"
    text = f'cannot load seccomp profile "{path}": open {path}: no such file or directory'
    assert waits(seen) == ("CreateContainerError", text)
    await lab.delete("profile-none", 0)


STORIES: dict[str, Story] = {"what is read": makes_what_is_read, "profiles of the node": profiles_of_the_node} | {
    name: case.story(name) for name, case in CASES.items()
}


@pytest.mark.parametrize("name", STORIES)
def test_of(told: Stories, name: str) -> None:
    told.end(name)
