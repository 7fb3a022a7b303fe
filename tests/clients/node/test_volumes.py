"""Volumes from outside, as upstream's test/e2e/common/storage and test/e2e/storage ask of a node: what containers see and may."""

import asyncio
import base64
import json
import subprocess
from typing import Any

import pytest

from steersman.api import kinds
from steersman.meta.objects import Object
from tests.clients.node.lab import (
    Case,
    Lab,
    Stories,
    Story,
    is_over,
    restarts,
    runs,
    shell,
    state,
    waits,
)

pytestmark = [pytest.mark.root, pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(300)]

LOOKS = r"cd /v; for f in $(find -L . -type f | grep -v '/\.\.' | sort); do echo $f $(stat -Lc '%a %u %g' $f) $(cat $f); done"


def sees(volume: Object, script: str, wish: Any, *, mount: Object | None = None, **about: Any) -> Case:
    main = {"volumeMounts": [{"name": "v", "mountPath": "/v", **(mount or {})}], **about.pop("main", {})}
    return runs(script, wish, volumes=[{"name": "v", **volume}], main=main, **about)


def projected(*sources: Object, **about: Any) -> Object:
    return {"projected": {"sources": [*sources], **about}}


def item(key: str, path: str, **about: Any) -> Object:
    return {"key": key, "path": path, **about}


SOME = {"configMap": {"name": "some"}}
HIDDEN = {"secret": {"secretName": "hidden"}}
AS_USER: Object = {"securityContext": {"runAsUser": 1000, "fsGroup": 1001}}
FIELDS = [
    {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}},
    {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
    {"path": "notes", "fieldRef": {"fieldPath": "metadata.annotations"}},
    {
        "path": "cpu",
        "mode": 0o400,
        "resourceFieldRef": {"containerName": "main", "resource": "limits.cpu", "divisor": "1m"},
    },
    {"path": "memory", "resourceFieldRef": {"containerName": "main", "resource": "requests.memory"}},
]
ASKS = {"resources": {"limits": {"cpu": "1250m", "memory": "64Mi"}, "requests": {"cpu": "250m", "memory": "32Mi"}}}
SAYS = {"labels": {"a": "b", "c": "d"}, "annotations": {"builder": "bar"}}
SEEN = """\
./cpu 400 0 0 1250
./labels 644 0 0 a="b" c="d"
./memory 644 0 0 33554432
./name 644 0 0 {name}
./notes 644 0 0 builder="bar"
"""

CASES: dict[str, Case] = {
    # configmap_volume.go, secrets_volume.go
    "a ConfigMap": sees(SOME, LOOKS, "./data-1 644 0 0 value-1\n./data-2 644 0 0 value-2\n"),
    "a ConfigMap with a mode": sees(
        {"configMap": {"name": "some", "defaultMode": 0o400}},
        LOOKS,
        "./data-1 400 0 0 value-1\n./data-2 400 0 0 value-2\n",
    ),
    "a ConfigMap for a user": sees(SOME, "id -u; cat /v/data-1", "1000\nvalue-1", securityContext={"runAsUser": 1000}),
    "a ConfigMap with a mode for a group": sees(
        {"configMap": {"name": "some", "defaultMode": 0o440}},
        "stat -Lc '%a %g' /v/data-1; cat /v/data-1",
        "440 1001\nvalue-1",
        **AS_USER,
    ),
    "keys at other paths": sees(
        {"configMap": {"name": "some", "items": [item("data-2", "path/to/data-2", mode=0o400)]}},
        LOOKS,
        "./path/to/data-2 400 0 0 value-2\n",
    ),
    "an optional ConfigMap": sees({"configMap": {"name": "none", "optional": True}}, "ls /v | wc -l", "0\n"),
    "an optional key": sees(
        {"configMap": {"name": "some", "optional": True, "items": [item("none", "none")]}}, "ls /v | wc -l", "0\n"
    ),
    "bytes": sees(
        {"configMap": {"name": "bytes"}}, "od -An -tx1 /v/dump.bin; cat /v/text", " de ca fe ba d0 fe ff\nsome"
    ),
    "a ConfigMap in two volumes": runs(
        "cat /a/data-1 /b/data-1",
        "value-1value-1",
        volumes=[{"name": "a", **SOME}, {"name": "b", **SOME}],
        main={"volumeMounts": [{"name": "a", "mountPath": "/a"}, {"name": "b", "mountPath": "/b"}]},
    ),
    "a Secret": sees(HIDDEN, LOOKS, "./one 644 0 0 secret-1\n"),
    "a Secret with a mode for a group": sees(
        {"secret": {"secretName": "hidden", "defaultMode": 0o440}},
        "stat -Lc '%a %g' /v/one; cat /v/one",
        "440 1001\nsecret-1",
        **AS_USER,
    ),
    "a Secret with an item and its mode": sees(
        {"secret": {"secretName": "hidden", "items": [item("one", "new/one", mode=0o400)]}},
        LOOKS,
        "./new/one 400 0 0 secret-1\n",
    ),
    "what is mounted cannot be written": sees(
        SOME,
        "echo x 2>&1 > /v/data-1; touch /v/new 2>&1",
        "touch: /v/new: Read-only file system\n",
        is_so=lambda _, log: log.splitlines()[-1] + "\n",
    ),
    # projected_*.go
    "all in one": sees(
        projected(
            {"configMap": {"name": "some", "items": [item("data-1", "c")]}},
            {"secret": {"name": "hidden"}},
            {"downwardAPI": {"items": FIELDS[:1]}},
        ),
        LOOKS,
        "./c 644 0 0 value-1\n./name 644 0 0 all-in-one\n./one 644 0 0 secret-1\n",
    ),
    "all in one for a group": sees(
        projected({"secret": {"name": "hidden"}}, defaultMode=0o440),
        "stat -Lc '%a %g' /v/one; cat /v/one",
        "440 1001\nsecret-1",
        **AS_USER,
    ),
    "a token for a user": sees(
        projected({"serviceAccountToken": {"path": "token", "expirationSeconds": 600, "audience": "them"}}),
        "stat -Lc '%a %u' /v/token; wc -c < /v/token | grep -qv '^0$' && echo there",
        "600 1000\nthere\n",
        securityContext={"runAsUser": 1000},
    ),
    "a token for a group": sees(
        projected({"serviceAccountToken": {"path": "token"}}),
        "stat -Lc '%a %g' /v/token",
        "640 10000\n",
        securityContext={"runAsUser": 1000, "fsGroup": 10000},
    ),
    # downwardapi_volume.go
    "fields as files": sees(
        {"downwardAPI": {"items": FIELDS}}, LOOKS, SEEN.format(name="fields-as-files"), main=ASKS, **SAYS
    ),
    "fields with a mode": sees(
        {"downwardAPI": {"defaultMode": 0o400, "items": FIELDS[:1]}}, LOOKS, "./name 400 0 0 fields-with-a-mode\n"
    ),
    "fields among others": sees(
        projected({"downwardAPI": {"items": FIELDS}}), LOOKS, SEEN.format(name="fields-among-others"), main=ASKS, **SAYS
    ),
    # empty_dir.go
    "an empty folder": sees(
        {"emptyDir": {}}, "stat -c '%a %u %g' /v; echo x > /v/f; stat -c %a /v/f", "777 0 0\n644\n"
    ),
    "an empty folder in memory": sees(
        {"emptyDir": {"medium": "Memory"}},
        "stat -c '%a' /v; grep ' /v ' /proc/mounts | cut -d' ' -f1,3",
        "777\ntmpfs tmpfs\n",
        is_so=lambda _, log: log,
    ),
    "an empty folder for a user": sees(
        {"emptyDir": {}}, "echo x > /v/f; stat -c '%u %g' /v/f", "1000 1001\n", **AS_USER
    ),
    "an empty folder in memory for a user": sees(
        {"emptyDir": {"medium": "Memory"}},
        "stat -c '%a %g' /v; echo x > /v/f; stat -c '%u %g' /v/f",
        "2777 1001\n1000 1001\n",
        is_so=lambda _, log: log,
        **AS_USER,
    ),
    "an empty folder in memory with a size": sees(
        {"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        "dd if=/dev/zero of=/v/f bs=1k count=2048 2>&1 | grep -c 'No space'; stat -c %s /v/f",
        "1\n1048576\n",
    ),
    "a folder that two share": runs(
        "until test -f /v/f; do sleep 0.1; done; cat /v/f",
        "hello\n",
        volumes=[{"name": "v", "emptyDir": {"medium": "Memory"}}],
        main={"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        others=[shell("echo hello > /v/g; mv /v/g /v/f", "other", volumeMounts=[{"name": "v", "mountPath": "/v"}])],
    ),
    # subpath.go
    "a part of a folder": sees(
        {"emptyDir": {}},
        "cat /w/part/f; cat /v/f; touch /v/g; ls /w/part",
        "x\nx\nf\ng\n",
        mount={"subPath": "part"},
        initContainers=[
            shell("mkdir /w/part; echo x > /w/part/f", "first", volumeMounts=[{"name": "v", "mountPath": "/w"}])
        ],
        main={"volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "part"}, {"name": "v", "mountPath": "/w"}]},
    ),
    "a part that is not there yet": sees(
        {"emptyDir": {}}, "stat -c %F /v; stat -c %a /v", "directory\n777\n", mount={"subPath": "a/b"}
    ),
    "one key of a ConfigMap": sees(SOME, "cat /v", "value-1", mount={"subPath": "data-1"}),
    "one key in the place of a file": runs(
        "cat /etc/passwd",
        "value-1",
        volumes=[{"name": "v", **SOME}],
        main={"volumeMounts": [{"name": "v", "mountPath": "/etc/passwd", "subPath": "data-1"}]},
    ),
    "a part to read only": sees(
        {"emptyDir": {}},
        "touch /v/x 2>&1; touch /w/x && echo written",
        "touch: /v/x: Read-only file system\nwritten\n",
        main={
            "volumeMounts": [
                {"name": "v", "mountPath": "/v", "subPath": "part", "readOnly": True},
                {"name": "v", "mountPath": "/w"},
            ]
        },
    ),
    "a link that leads out": sees(
        {"emptyDir": {}},
        "exit 0",
        ("CreateContainerConfigError", True),
        initContainers=[shell("ln -s /etc /w/part", "first", volumeMounts=[{"name": "v", "mountPath": "/w"}])],
        mount={"subPath": "part"},
        is_so=lambda seen, _: (
            waits(seen)[0],
            waits(seen)[1].startswith('failed to prepare subPath for volumeMount "v" of container "main"'),
        ),
        is_far_enough=lambda seen: "message" in state(seen, "waiting"),
    ),
    # expansion.go
    "a part by the pod's name": sees(
        {"emptyDir": {}},
        "ls /w",
        "a-part-by-the-pod-s-name\n",
        main={
            "env": [{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "volumeMounts": [
                {"name": "v", "mountPath": "/v", "subPathExpr": "$(NAME)"},
                {"name": "v", "mountPath": "/w"},
            ],
        },
    ),
    "a part by a way up": sees(
        {"emptyDir": {}},
        "exit 0",
        ("CreateContainerConfigError", True),
        main={
            "env": [{"name": "UP", "value": "../.."}],
            "volumeMounts": [{"name": "v", "mountPath": "/v", "subPathExpr": "$(UP)"}],
        },
        is_so=lambda seen, _: (waits(seen)[0], "must not contain" in waits(seen)[1] or "subPath" in waits(seen)[1]),
        is_far_enough=lambda seen: "message" in state(seen, "waiting"),
    ),
    "a part by backticks": sees(
        {"emptyDir": {}},
        "ls /w",
        "`hostname`\n",
        main={
            "env": [{"name": "TICKS", "value": "`hostname`"}],
            "volumeMounts": [
                {"name": "v", "mountPath": "/v", "subPathExpr": "$(TICKS)"},
                {"name": "v", "mountPath": "/w"},
            ],
        },
    ),
}


STORIES: dict[str, Story] = {}


def story(tell: Story) -> Story:
    STORIES[tell.__name__] = tell
    return tell


@story
async def what_is_read(lab: Lab) -> None:
    await lab.create(
        kinds.CONFIG_MAP, {"metadata": {"name": "some"}, "data": {"data-1": "value-1", "data-2": "value-2"}}
    )
    raw = base64.b64encode(bytes.fromhex("decafebad0feff")).decode()
    await lab.create(
        kinds.CONFIG_MAP, {"metadata": {"name": "bytes"}, "data": {"text": "some"}, "binaryData": {"dump.bin": raw}}
    )
    await lab.create(kinds.SECRET, {"metadata": {"name": "hidden"}, "stringData": {"one": "secret-1"}})


STORIES |= {name: case.story(name) for name, case in CASES.items()}
FOLLOWS = "while true; do cat /v/* 2>/dev/null; echo; sleep 0.2; done"


@story
async def changes_are_seen(lab: Lab) -> None:
    """Of ConfigMaps and Secrets, alone and among others, optional ones that come and go, and of the pod's own labels."""
    await lab.create(kinds.CONFIG_MAP, {"metadata": {"name": "changes"}, "data": {"a": "old-map"}})
    await lab.create(kinds.SECRET, {"metadata": {"name": "changes"}, "stringData": {"b": "old-secret"}})
    labels = {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}
    sources = projected(
        {"configMap": {"name": "changes"}},
        {"secret": {"name": "changes"}},
        {"secret": {"name": "comes", "optional": True}},
        {"downwardAPI": {"items": [labels]}},
    )
    mounts = [{"name": "v", "mountPath": "/v"}, {"name": "w", "mountPath": "/w"}]
    main = shell(FOLLOWS.replace("/v/*", "/v/* /w/*"), volumeMounts=mounts)
    volumes = [{"name": "v", **sources}, {"name": "w", "configMap": {"name": "changes"}}]
    await lab.pod("follows", main, volumes=volumes, labels={"colour": "old-label"})
    for word in ("old-map", "old-secret", "old-label"):
        await lab.prints("follows", word)
    await lab.patch("changes", {"data": {"a": "new-map"}}, kind=kinds.CONFIG_MAP)
    await lab.patch("changes", {"stringData": {"b": "new-secret"}}, kind=kinds.SECRET)
    await lab.create(kinds.SECRET, {"metadata": {"name": "comes"}, "stringData": {"c": "new-one"}})
    await lab.patch("follows", {"metadata": {"labels": {"colour": "new-label"}}})
    for word in ("new-map", "new-secret", "new-one", "new-label"):
        await lab.prints("follows", word)
    await lab.client.delete(kinds.CONFIG_MAP, "changes", lab.namespace)
    await lab.client.delete(kinds.SECRET, "comes", lab.namespace)
    await lab.delete("follows", 0)


@story
async def what_must_not_change(lab: Lab) -> None:
    for kind in (kinds.CONFIG_MAP, kinds.SECRET):
        await lab.create(kind, {"metadata": {"name": "fixed"}, "immutable": True})
        for change in ({"data": {"a": "Yg=="}}, {"immutable": False}):
            with pytest.raises(Exception, match="field is immutable when `immutable` is set"):
                await lab.patch("fixed", change, kind=kind)
        await lab.client.delete(kind, "fixed", lab.namespace)


@story
async def what_is_not_there_is_told(lab: Lab) -> None:
    for name, volume, text in (
        ("no-map", {"configMap": {"name": "none"}}, 'configmap "none" not found'),
        ("no-secret", {"secret": {"secretName": "none"}}, 'secret "none" not found'),
        (
            "no-key",
            {"configMap": {"name": "some", "items": [item("none", "x")]}},
            "references non-existent config key: none",
        ),
        (
            "no-secret-key",
            {"secret": {"secretName": "hidden", "items": [item("none", "x")]}},
            "references non-existent secret key: none",
        ),
        (
            "no-folder",
            {"hostPath": {"path": "/tmp/none-of-these", "type": "Directory"}},
            "/tmp/none-of-these is not a directory",
        ),
        ("no-file", {"hostPath": {"path": "/tmp", "type": "File"}}, "/tmp is not a file"),
        ("no-socket", {"hostPath": {"path": "/tmp", "type": "Socket"}}, "/tmp is not a socket file"),
        ("no-device", {"hostPath": {"path": "/tmp", "type": "CharDevice"}}, "/tmp is not a character device"),
        ("no-disk", {"hostPath": {"path": "/tmp", "type": "BlockDevice"}}, "/tmp is not a block device"),
    ):
        await lab.pod(
            name, shell("true", volumeMounts=[{"name": "v", "mountPath": "/v"}]), volumes=[{"name": "v", **volume}]
        )
        told = await lab.event(name, "FailedMount")
        check = "hostPath type check failed: " if "hostPath" in volume else ""
        assert told == f'MountVolume.SetUp failed for volume "v" : {check}{text}'
        await lab.delete(name, 0)


@story
async def a_part_by_an_annotation_that_comes_later(lab: Lab) -> None:
    """expansion.go: what the path is made of is wrong at first; once it is right, the container starts."""
    env = [{"name": "PART", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['part']"}}}]
    mounts = [{"name": "v", "mountPath": "/v", "subPathExpr": "$(PART)"}, {"name": "v", "mountPath": "/w"}]
    main = shell("touch /v/here; exec sleep 10000", env=env, volumeMounts=mounts)
    await lab.pod(
        "later",
        main,
        volumes=[{"name": "v", "emptyDir": {}}],
        annotations={"part": "/absolute"},
        restartPolicy="Always",
    )
    await lab.until("later", lambda seen: state(seen, "waiting").get("reason") == "CreateContainerConfigError")
    await lab.patch("later", {"metadata": {"annotations": {"part": "mypath"}}})
    await lab.until("later", lambda seen: state(seen, "running"))
    assert (await lab.exec("later", "ls", "/w/mypath")).strip() == "here"
    await lab.delete("later", 0)


@story
async def parts_survive_a_restart(lab: Lab) -> None:
    """subpath.go: the part is taken away while the container lives, and there again when it restarts; one whose container is
    restarted twice goes with its pod."""
    mounts = [{"name": "v", "mountPath": "/v", "subPath": "part"}, {"name": "v", "mountPath": "/w"}]
    main = shell("test -f /w/again && exec sleep 10000; touch /w/again; rm -rf /w/part; exit 1", volumeMounts=mounts)
    await lab.pod("restarts", main, volumes=[{"name": "v", "emptyDir": {}}], restartPolicy="Always")
    await lab.until("restarts", lambda seen: restarts(seen) == 1 and state(seen, "running"))
    assert (await lab.exec("restarts", "ls", "/w")).split() == ["again", "part"]
    await lab.delete("restarts", 0)
    await lab.gone("restarts")


@story
async def wrapped_folders_do_not_collide(lab: Lab) -> None:
    """empty_dir_wrapper.go: a Secret and a ConfigMap beside each other, and many ConfigMaps in one pod."""
    names = [f"race-{number}" for number in range(20)]
    for name in names:
        await lab.create(kinds.CONFIG_MAP, {"metadata": {"name": name}, "data": {"data-1": name}})
    volumes = [{"name": name, "configMap": {"name": name, "items": [item("data-1", "data-1")]}} for name in names]
    volumes.append({"name": "hidden", **HIDDEN})
    mounts = [{"name": one["name"], "mountPath": f"/etc/{one['name']}"} for one in volumes]
    for number in range(3):
        await lab.pod(
            f"race-{number}", shell("cat /etc/race-*/data-1 /etc/hidden/one", volumeMounts=mounts), volumes=volumes
        )
    for number in range(3):
        await lab.ended(f"race-{number}")
        assert await lab.log(f"race-{number}") == "".join(sorted(names)) + "secret-1"


@story
async def a_folder_of_the_host(lab: Lab) -> None:
    """host_path.go"""
    where = lab.cluster.folder / "of-the-host" / "new"
    main = shell("stat -c '%a %F' /v; echo x > /v/f; cat /v/f", volumeMounts=[{"name": "v", "mountPath": "/v"}])
    volume = {"name": "v", "hostPath": {"path": str(where), "type": "DirectoryOrCreate"}}
    await lab.pod("of-the-host", main, volumes=[volume])
    await lab.ended("of-the-host")
    assert await lab.log("of-the-host") == "755 directory\nx\n"
    assert (where / "f").read_text() == "x\n"


@story
async def mounts_reach_other_pods(lab: Lab) -> None:
    """mount_propagation.go: what a pod mounts is seen by the host and by who listens to it, what the host mounts by both; what
    others mount is theirs."""
    shared = lab.cluster.folder / "data" / "nodes" / "node1" / "kubelet" / "mounts"  # on many hosts all of / is
    shared.mkdir()
    where = {"name": "v", "hostPath": {"path": str(shared)}}
    ways = {"master": "Bidirectional", "slave": "HostToContainer", "private": "None", "default": ""}
    for name, way in ways.items():
        mount = {"name": "v", "mountPath": "/v", **({"mountPropagation": way} if way else {})}
        main = shell("exec sleep 10000", volumeMounts=[mount], securityContext={"privileged": True})
        await lab.pod(f"mounts-{name}", main, volumes=[where])
    for name in ways:
        await lab.ready(f"mounts-{name}")
    for name in ways:
        script = f"mkdir -p /v/{name} && mount -t tmpfs e2e-{name} /v/{name} && echo {name} > /v/{name}/file"
        assert await lab.exec(f"mounts-{name}", "sh", "-c", script) == ""
    (shared / "host").mkdir()
    await asyncio.to_thread(subprocess.run, ["mount", "-t", "tmpfs", "e2e-host", str(shared / "host")], check=True)
    (shared / "host" / "file").write_text("host\n")
    seen = {name: (await lab.exec(f"mounts-{name}", "sh", "-c", "cat /v/*/file")).split() for name in ways}
    assert {name: [word for word in words if word in {*ways, "host"}] for name, words in seen.items()} == {
        "master": ["host", "master"],
        "slave": ["host", "master", "slave"],
        "private": ["private"],
        "default": ["default"],
    }
    assert sorted(path.parent.name for path in shared.glob("*/file")) == ["host", "master"]
    assert await lab.exec("mounts-master", "umount", "/v/master") == ""
    await asyncio.to_thread(subprocess.run, ["umount", str(shared / "host")], check=True)
    for name in ways:
        await lab.delete(f"mounts-{name}", 0)
    for name in ways:
        await lab.gone(f"mounts-{name}")


@story
async def a_size_that_is_exceeded(lab: Lab) -> None:
    """Both by a disk folder's limit: the pod is evicted."""
    main = shell("dd if=/dev/zero of=/v/f bs=1M count=10; sleep 10000", volumeMounts=[{"name": "v", "mountPath": "/v"}])
    await lab.pod("exceeds", main, volumes=[{"name": "v", "emptyDir": {"sizeLimit": "5Mi"}}])
    status = (await lab.until("exceeds", is_over))["status"]
    assert (status["reason"], status["message"]) == (
        "Evicted",
        'Usage of EmptyDir volume "v" exceeds the limit "5Mi". ',
    )


@story
async def a_token_that_is_bound(lab: Lab) -> None:
    token = projected({"serviceAccountToken": {"path": "token", "audience": "them", "expirationSeconds": 3600}})
    main = shell("cat /v/token", volumeMounts=[{"name": "v", "mountPath": "/v"}])
    made = await lab.pod("bound", main, volumes=[{"name": "v", **token}])
    await lab.ended("bound")
    part = (await lab.log("bound")).split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert claims["aud"] == ["them"]
    assert claims["kubernetes.io"]["pod"] == {"name": "bound", "uid": made["metadata"]["uid"]}


@pytest.mark.parametrize("name", STORIES)
def test_of(told: Stories, name: str) -> None:
    told.end(name)
