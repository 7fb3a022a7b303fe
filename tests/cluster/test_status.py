"""What `steersman status` says, from what was found."""

import json

import pytest

from steersman.cluster import status

FOUND = {
    "running": True,
    "apiReady": True,
    "version": "v1.37.0",
    "server": "https://127.0.0.1:6443",
    "kubeconfig": "/data/kubeconfig",
    "dataDir": "/data",
    "processes": [
        {"name": "apiserver", "pid": 7, "running": True, "wanted": True, "restarts": 2, "memoryBytes": 45_000_000},
        {"name": "node1", "pid": 0, "running": False, "wanted": False, "restarts": 0},
    ],
    "nodes": [{"name": "node1", "ready": False, "address": "172.30.0.2", "pods": 3}],
    "pods": {"total": 3, "running": 2},
}


def test_text(capsys):
    status.print_text("steersman", FOUND)
    said = capsys.readouterr().out
    assert 'Cluster "steersman": v1.37.0 at https://127.0.0.1:6443' in said
    assert "2 of 3 running" in said
    assert "0 of 1 Ready" in said
    assert "NotReady" in said
    assert "pid 7" in said
    assert "45 MB, 2 restarts" in said
    assert "stopped" in said


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (FOUND, "API ready · nodes 0 of 1 Ready · pods 2 of 3 running"),
        ({**FOUND, "apiReady": False}, "API does not answer · nodes 0 of 1 Ready · pods 2 of 3 running"),
        ({"running": False}, "stopped"),
    ],
    ids=["ready", "silent", "stopped"],
)
def test_one_line(found, line):
    assert status.one_line(found) == line


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_cluster_that_does_not_run_says_so(tmp_path, monkeypatch, capsys, output):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert status.run("absent", str(tmp_path), output) == 3
    said = capsys.readouterr().out
    if output == "json":
        assert json.loads(said) == {"running": False, "dataDir": str(tmp_path)}
    else:
        assert "does not run" in said
