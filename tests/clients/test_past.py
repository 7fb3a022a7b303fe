"""The see-through commands against a cluster of processes, with real kubectl."""

import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.clients.conftest import RunningCluster, started

pytestmark = [pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    yield from started(tmp_path_factory.mktemp("past"), "past", "--nodes", "0", "--fake-nodes", "2")


def at(cluster: RunningCluster, moment: str, *command: str) -> subprocess.CompletedProcess[str]:
    known = ["--name", cluster.name, "--data-dir", str(cluster.folder / "data")]
    arguments = [sys.executable, "-m", "steersman.main", "at", *known, moment, *command]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, env=cluster.environment)


def test_a_pods_story_begins_with_the_user_and_ends_on_its_node(paper: RunningCluster) -> None:
    paper.kubectl("create", "deployment", "web", "--image", "localhost/hello:1")
    paper.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    name = paper.jsonpath("{.items[0].metadata.name}", "pods", "-l", "app=web")
    told = paper.steersman("why", f"pod/{name}").stdout
    lines = [line.split("  ", 1)[1].strip() for line in told.splitlines()[1:]]
    assert lines[0].startswith("kubernetes-admin")
    assert lines[0].endswith("created Deployment default/web")
    order = [
        "created ReplicaSet default/web-",
        f"created Pod default/{name}",
        "spec.nodeName: (none) → ",
        "Pending → Running",
    ]
    found = [next(number for number, line in enumerate(lines) if text in line) for text in order]
    assert found == sorted(found)


def test_a_pod_that_fits_nowhere_is_told_each_node_and_why(paper: RunningCluster) -> None:
    paper.kubectl("run", "big", "--image", "localhost/hello:1", "--overrides", BIG)
    paper.wait_until_prints("Pending", "get", "pod", "big")
    told = paper.steersman("why", "pod/big").stdout
    assert told.splitlines()[-1].strip() == "not fake1, fake2: Insufficient cpu"


BIG = """{"spec": {"containers": [{"name": "big", "image": "localhost/hello:1", "resources": {"requests": {"cpu": "999"}}}]}}"""


def test_the_past_is_seen_through_kubectl(paper: RunningCluster) -> None:
    paper.kubectl("create", "configmap", "settings", "--from-literal=said=one")
    revision = paper.jsonpath("{.metadata.resourceVersion}", "configmap", "settings")
    paper.kubectl("patch", "configmap", "settings", "-p", '{"data": {"said": "two"}}')
    paper.kubectl("delete", "configmap", "settings")
    seen = at(paper, revision, "get", "configmap", "settings", "-o", "jsonpath={.data.said}")
    assert (seen.stdout, seen.returncode) == ("one", 0)
    assert f"revision {revision}" in seen.stderr
    assert "settings" in at(paper, revision, "describe", "configmap", "settings").stdout
    refused = at(paper, revision, "delete", "configmap", "settings")
    assert refused.returncode == 1
    assert "the server does not allow this method" in refused.stderr
    told = paper.steersman("history", "cm/settings").stdout
    assert "data.said: one → two" in told
    assert told.splitlines()[-1].endswith("deleted ConfigMap default/settings")


def test_the_deployments_revision_is_never_taken_back(paper: RunningCluster) -> None:
    paper.kubectl("create", "deployment", "again", "--image", "localhost/hello:1")
    paper.kubectl("rollout", "status", "deployment/again", "--timeout=30s")
    paper.kubectl("set", "image", "deployment/again", "*=localhost/hello:2")
    paper.kubectl("rollout", "status", "deployment/again", "--timeout=30s")
    told = paper.steersman("history", "deployment/again").stdout
    changes = [line.rpartition("revision: ")[2] for line in told.splitlines() if "kubernetes.io/revision: " in line]
    assert changes == ["1 → 2"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("why", "web"), "Name an object: KIND/NAME"),
        (("why", "thing/web"), 'The cluster has no kind "thing".'),
        (("history", "pod/nobody"), 'pods "nobody" not found'),
    ],
)
def test_what_cannot_be_told_is_refused_in_a_sentence(
    paper: RunningCluster, command: tuple[str, ...], said: str
) -> None:
    done = paper.steersman(*command, check=False)
    assert done.returncode == 1
    assert said in done.stderr


def test_what_is_no_moment_is_refused(paper: RunningCluster) -> None:
    done = at(paper, "yesterday", "get", "pods")
    assert (done.returncode, done.stderr.partition(":")[0]) == (1, '"yesterday" is no moment')


def test_a_deleted_namespace_comes_back_and_what_is_new_goes(paper: RunningCluster) -> None:
    paper.kubectl("create", "namespace", "shop")
    paper.kubectl("-n", "shop", "create", "deployment", "web", "--image", "localhost/hello:1", "--replicas=2")
    paper.kubectl("-n", "shop", "expose", "deployment", "web", "--port=80")
    paper.kubectl("-n", "shop", "run", "bare", "--image", "localhost/hello:1")
    paper.kubectl("-n", "shop", "rollout", "status", "deployment/web", "--timeout=30s")
    paper.kubectl("-n", "shop", "wait", "--for=condition=Ready", "pod/bare", "--timeout=30s")
    identity = ("-n", "shop", "get", "deployment,service", "web", "-o", "jsonpath={.items[*].metadata.uid}")
    before = paper.kubectl(*identity)
    revision = str(json.loads(paper.kubectl("get", "--raw", "/steersman/at/0s"))["revision"])
    paper.kubectl("delete", "namespace", "shop")
    paper.kubectl("create", "configmap", "new")

    planned = paper.steersman("rewind", revision, "--dry-run").stdout
    assert "would be brought back: namespaces shop" in planned
    assert "shop" not in paper.kubectl("get", "namespaces")
    told = paper.steersman("rewind", revision).stdout
    assert "brought back: namespaces shop" in told
    assert "deleted: configmap default/new" in told
    assert paper.kubectl(*identity) == before
    paper.kubectl("-n", "shop", "rollout", "status", "deployment/web", "--timeout=30s")
    paper.kubectl("-n", "shop", "wait", "--for=condition=Ready", "pod/bare", "--timeout=30s")
    assert paper.steersman("rewind", revision).stdout.startswith("All is as it was")


def test_what_would_happen_is_tried_on_a_copy(paper: RunningCluster) -> None:
    paper.kubectl("create", "namespace", "trial")
    paper.kubectl("-n", "trial", "create", "deployment", "one", "--image", "localhost/hello:1")
    paper.kubectl("-n", "trial", "expose", "deployment", "one", "--port=80")
    paper.kubectl("-n", "trial", "rollout", "status", "deployment/one", "--timeout=30s")
    node = paper.jsonpath("{.items[0].spec.nodeName}", "pods", "-n", "trial")
    before = paper.kubectl("get", "pods,nodes", "-A", "-o", "jsonpath={.items[*].metadata.uid}")
    done = paper.steersman("simulate", "--lose", node, "--for", "1m", check=False)
    assert done.returncode == 2, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("Service trial/one"))
    assert line.split("  ", 1)[1].strip().startswith("1 ready, 0 after ")
    assert "without any for" in line
    assert paper.kubectl("get", "pods,nodes", "-A", "-o", "jsonpath={.items[*].metadata.uid}") == before
    refused = paper.steersman("simulate", "--lose", "nowhere", check=False)
    assert (refused.returncode, refused.stderr.strip()) == (1, 'There is no Ready node "nowhere".')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "a manifest cannot be read"),
        ("just text", "a manifest is made of objects with apiVersion and kind"),
        ("metadata: {name: x}", "no matches for kind '' in version ''"),
        ("{apiVersion: not/v1, kind: Nosuch, metadata: {name: x}}", "no matches for kind 'Nosuch' in version 'not/v1'"),
    ],
)
def test_what_cannot_be_applied_is_refused_in_a_sentence(
    paper: RunningCluster, tmp_path: pathlib.Path, text: str, said: str
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    done = paper.steersman("simulate", "--apply", str(file), check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert said in done.stderr
