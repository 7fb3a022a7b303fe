"""A cluster's file: taken while it runs, and brought up again from it."""

import json
import pathlib

import pytest

from steersman.cluster import archive
from tests.clients.conftest import RunningCluster, started

pytestmark = [pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def paper(tmp_path_factory: pytest.TempPathFactory):
    yield from started(tmp_path_factory.mktemp("backup"), "backup", "--nodes", "0", "--fake-nodes", "1")


def test_a_backup_brings_the_cluster_back(paper: RunningCluster, tmp_path: pathlib.Path) -> None:
    running, stopped = tmp_path / "running.tar.gz", tmp_path / "stopped.tar.gz"
    paper.kubectl("create", "deployment", "web", "--image", "localhost/hello:1")
    paper.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    token = paper.kubectl("create", "token", "default").strip()
    uid = paper.jsonpath("{.metadata.uid}", "deployment", "web")
    assert "Wrote" in paper.steersman("backup", str(running)).stdout
    paper.kubectl("delete", "deployment", "web")
    refused = paper.steersman("restore", str(running), check=False)
    assert (refused.returncode, "runs: stop it first" in refused.stderr) == (1, True)

    paper.steersman("down")
    paper.steersman("backup", str(stopped))
    refused = paper.steersman("restore", str(running), check=False)
    assert (refused.returncode, "--force" in refused.stderr) == (1, True)
    assert "is as" in paper.steersman("restore", str(running), "--force").stdout
    paper.up()
    assert paper.jsonpath("{.metadata.uid}", "deployment", "web") == uid
    paper.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    review = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}})
    known = paper.kubectl("create", "-f", "-", "-o", "jsonpath={.status.user.username}", stdin=review)
    assert known == "system:serviceaccount:default:default"

    paper.steersman("down", "--purge")
    paper.steersman("restore", str(stopped))
    paper.up()
    assert "web" not in paper.kubectl("get", "deployments", "-o", "name")


def test_a_snapshot_is_gone_back_to_and_forked(paper: RunningCluster, tmp_path: pathlib.Path) -> None:
    paper.kubectl("create", "deployment", "web", "--image", "localhost/hello:1")
    paper.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    token = paper.kubectl("create", "token", "default").strip()
    assert paper.steersman("snapshot", "create", "good").stdout.startswith('Snapshot "good"')
    assert "There is a snapshot" in paper.steersman("snapshot", "create", "good", check=False).stderr
    paper.kubectl("delete", "deployment", "web")

    fork = RunningCluster(f"{paper.name}-fork", tmp_path, 0)
    try:
        told = paper.steersman(
            "fork",
            fork.name,
            "--from",
            "good",
            "--fork-data-dir",
            f"{tmp_path}/data",
            "--kubeconfig",
            f"{tmp_path}/kubeconfig",
        )
        assert "its nodes on paper" in told.stdout
        fork.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
        assert fork.kubectl("get", "nodes", "-o", "name") == paper.kubectl("get", "nodes", "-o", "name")
        assert "yes" in fork.kubectl("auth", "can-i", "create", "selfsubjectreviews", "--token", token)
        assert "web" not in paper.kubectl("get", "deployments", "-o", "name"), "the cluster itself was only asked"
    finally:
        fork.steersman("down", "--purge")

    assert "is as it was" in paper.steersman("snapshot", "restore", "good").stdout
    paper.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert "good" in paper.steersman("snapshot", "ls").stdout
    paper.steersman("snapshot", "rm", "good")
    refused = paper.steersman("snapshot", "restore", "good", check=False)
    assert (refused.returncode, "There is no snapshot" in refused.stderr) == (1, True)


def test_what_is_no_backup_changes_nothing(paper: RunningCluster, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "file"
    file.write_text("no")
    paper.kubectl("create", "configmap", "kept")
    paper.steersman("down")
    refused = paper.steersman("restore", str(file), "--force", check=False)
    assert (refused.returncode, "is no backup" in refused.stderr) == (1, True)
    paper.up()
    assert "kept" in paper.kubectl("get", "configmaps", "-o", "name")


def test_a_backup_whose_options_are_damaged_changes_nothing(paper: RunningCluster, tmp_path: pathlib.Path) -> None:
    good, bad, folder = tmp_path / "good.tar.gz", tmp_path / "bad.tar.gz", tmp_path / "unpacked"
    paper.steersman("backup", str(good))
    refused = paper.steersman("backup", str(tmp_path / "none" / "file"), check=False)
    assert (refused.returncode, "There is no folder" in refused.stderr) == (1, True)
    paper.steersman("down")
    folder.mkdir()
    about = archive.read(good, folder)
    (folder / "options.json").write_text('{"port": "none"}')
    archive.write(bad, about, folder / "store.db", folder / "options.json", folder / "pki")
    refused = paper.steersman("restore", str(bad), "--force", check=False)
    assert (refused.returncode, "options.json cannot be read" in refused.stderr) == (1, True)
    paper.up()
