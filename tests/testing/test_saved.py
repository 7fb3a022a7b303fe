"""A cluster in a folder is the same cluster; the same seed is the same history."""

import os
import pathlib
import subprocess
import sys

import pytest

from steersman.testing import Cluster, saved
from tests.testing.test_cluster import WEB

STORY = f"""
import hashlib, sys
from steersman.testing import Cluster
with Cluster(nodes=3, virtual_time=True, seed=int(sys.argv[1])) as cluster:
    cluster.apply('''{WEB}''')
    cluster.wait("deployment/web", "Available")
    with cluster.faults.drop(user="system:kube-scheduler", probability=0.5):
        cluster.client.patch("deployment/web", {{"spec": {{"replicas": 7}}}})
        cluster.advance(minutes=2)
    with cluster.fork() as fork:
        fork.advance(minutes=1)
        for one in (cluster, fork):
            history = one._running._store.history()
            print(len(history), hashlib.sha256(b"".join(event.value for event in history)).hexdigest())
            causes = one._running._store.causes
            print(hashlib.sha256(repr(sorted(causes.items())).encode()).hexdigest())
"""


def told(seed, hash_seed):
    done = subprocess.run(
        [sys.executable, "-c", STORY, str(seed)],
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.slow
def test_the_same_seed_is_the_same_history_to_the_byte():
    once = told(seed=1, hash_seed=1)
    assert once == told(seed=1, hash_seed=2)
    assert once != told(seed=2, hash_seed=1)


def uids(cluster, what):
    return {one["metadata"]["uid"] for one in cluster.list(what, "")}


def test_a_fork_makes_no_identifier_that_its_origin_has_made():
    with Cluster(virtual_time=True) as cluster, cluster.fork() as first, cluster.fork() as second:
        before = uids(cluster, "namespaces")
        for one in (first, second):
            one.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}})
        (made,), (made_too,) = uids(first, "namespaces") - before, uids(second, "namespaces") - before
        assert made != made_too
        assert not {made, made_too} & {one["metadata"]["uid"] for one in cluster.list("serviceaccounts", "")}


@pytest.fixture
def kept(tmp_path):
    """(what the cluster was like, where it is saved)"""
    with Cluster(nodes=2, virtual_time=True, seed=5) as cluster:
        cluster.apply(WEB)
        cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": "short",
                    "annotations": {"fake.steersman.dev/run-seconds": "100", "fake.steersman.dev/logs": "hello\n"},
                },
                "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "localhost/hello:1"}]},
            }
        )
        cluster.wait("deployment/web", "Available")
        cluster.wait("pod/short", "Running")
        cluster.advance(seconds=60)
        cluster.save(tmp_path, "because")
        store = cluster._running._store
        yield cluster, [entry.value for entry in store.entries()], [event.value for event in store.history()], tmp_path


def test_what_is_loaded_is_what_was_saved_to_the_byte(kept):
    _, entries, history, folder = kept
    found = saved.read(folder)
    assert [entry.value for entry in found.snapshot.store.entries()] == entries
    assert [event.value for event in found.snapshot.store.history()] == history
    again = folder / "again"
    saved.write(again, found.facts, found.snapshot.store)
    for name in ("cluster.json", "objects.jsonl", "history.jsonl"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()


def test_a_loaded_cluster_lives_on(kept):
    cluster, _, _, folder = kept
    versions = {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in cluster.list("pods")}
    with Cluster.load(folder) as loaded:
        loaded.advance(seconds=10)
        assert versions == {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in loaded.list("pods")}
        assert loaded.client.logs("short") == "hello\n"
        loaded.wait("pod/short", "Succeeded", timeout=45)  # 100 seconds less those before it was saved
        loaded.client.patch("deployment/web", {"spec": {"replicas": 4}})
        loaded.wait("deployment/web", lambda obj: obj["status"].get("availableReplicas") == 4)


def test_no_cluster_is_no_cluster(tmp_path):
    (tmp_path / "cluster.json").write_text('{"format": 99}')
    with pytest.raises(saved.WrongFormat, match="holds no cluster that this version knows"):
        Cluster.load(tmp_path)


FAILING = """
import pytest
from steersman.testing import Cluster

def test_fixture(cluster):
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kept"}})
    assert False, "on purpose"

@pytest.mark.parametrize("seed", [3])
def test_block(seed):
    with Cluster(virtual_time=True, seed=seed):
        assert False

@pytest.mark.steersman(nodes=2, virtual_time=True)
def test_marked(cluster):
    assert [one["metadata"]["name"] for one in cluster.list("nodes")] == ["node-1", "node-2"]
    assert cluster.seed == 11
    cluster.advance(hours=1)

def test_good(cluster):
    assert cluster.get("namespace/default")
"""


def pytest_in(folder: pathlib.Path, *arguments):
    (folder / "test_them.py").write_text(FAILING)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_the_clusters_of_failed_tests_are_kept(tmp_path, workers):
    shown = pytest_in(tmp_path, "--steersman-save", "kept", "--steersman-seed", "11", *workers)
    assert "2 failed, 2 passed" in shown
    names = {"test_them.py-test_fixture", "test_them.py-test_block-3"}
    assert {folder.name for folder in (tmp_path / "kept").iterdir()} == names
    folder = tmp_path / "kept" / "test_them.py-test_fixture"
    assert f"to look at it: Cluster.load('{folder}')" in shown
    assert saved.read(folder).facts.why.endswith("on purpose\nassert False")
    with Cluster.load(folder) as cluster:
        assert cluster.get("namespace/kept")
