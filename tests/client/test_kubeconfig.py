import base64
import os
import stat

import pytest
import yaml

from steersman.client import kubeconfig
from steersman.client.kubeconfig import Access, KubeconfigError

ACCESS = Access("https://127.0.0.1:6443", authority=b"CA", certificate=b"CERT", key=b"KEY", namespace="apps")


def test_what_is_built_can_be_read():
    found = kubeconfig.access(kubeconfig.build("steersman", ACCESS, user="admin"))
    assert found == Access(
        "https://127.0.0.1:6443",
        authority=b"CA",
        certificate=b"CERT",
        key=b"KEY",
        namespace="apps",
        context="steersman",
    )


def test_secrets_do_not_show():
    assert "KEY" not in repr(ACCESS)
    assert "hidden" not in repr(Access("https://x", token="hidden", password="hidden"))


def test_merging_keeps_other_contexts(tmp_path):
    mine = {
        "contexts": [{"name": "work", "context": {"cluster": "work", "user": "me"}}],
        "clusters": [{"name": "work", "cluster": {"server": "https://work"}}],
        "users": [{"name": "me", "user": {"exec": {"command": "aws"}}}],
        "current-context": "work",
        "extensions": ["kept"],
    }
    merged = kubeconfig.merge(mine, kubeconfig.build("steersman", ACCESS))
    assert merged["current-context"] == "steersman"
    assert merged["extensions"] == ["kept"]
    assert [entry["name"] for entry in merged["contexts"]] == ["work", "steersman"]
    assert kubeconfig.named(merged, "users", "me") == {"exec": {"command": "aws"}}
    again = kubeconfig.merge(merged, kubeconfig.build("steersman", Access("https://elsewhere")), make_current=False)
    assert [entry["name"] for entry in again["clusters"]] == ["work", "steersman"]
    assert kubeconfig.access(again, "steersman").server == "https://elsewhere"
    assert mine["current-context"] == "work"
    gone = kubeconfig.without(merged, "steersman")
    assert {key: gone[key] for key in ("contexts", "clusters", "users")} == {
        key: mine[key] for key in ("contexts", "clusters", "users")
    }
    assert gone["current-context"] == ""


def test_removing_keeps_what_others_use():
    config = kubeconfig.build("a", ACCESS, user="shared")
    config = kubeconfig.merge(config, kubeconfig.build("b", ACCESS, user="shared"))
    gone = kubeconfig.without(config, "b")
    assert kubeconfig.named(gone, "users", "shared") is not None
    assert kubeconfig.named(gone, "clusters", "b") is None
    assert kubeconfig.without(gone, "unknown") == gone


def test_written_at_once_and_for_the_owner_only(tmp_path):
    path = tmp_path / "new" / "config"
    kubeconfig.write(path, kubeconfig.build("steersman", ACCESS))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["config"]
    assert yaml.safe_load(path.read_text())["users"][0]["user"]["client-key-data"] == base64.b64encode(b"KEY").decode()


def test_a_symlink_stays_one(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("")
    link.symlink_to(real)
    kubeconfig.write(link, kubeconfig.build("steersman", ACCESS))
    assert link.is_symlink()
    assert "steersman" in real.read_text()


def test_the_first_file_to_name_a_thing_wins(tmp_path):
    first, second = tmp_path / "one", tmp_path / "two"
    kubeconfig.write(first, kubeconfig.build("a", Access("https://first")))
    other = kubeconfig.merge(
        kubeconfig.build("a", Access("https://second")), kubeconfig.build("b", Access("https://b"))
    )
    kubeconfig.write(second, other)
    environment = {"KUBECONFIG": os.pathsep.join([str(first), str(tmp_path / "missing"), "", str(second)])}
    config = kubeconfig.load(kubeconfig.default_paths(environment))
    assert config["current-context"] == "a"
    assert [kubeconfig.access(config, name).server for name in "ab"] == ["https://first", "https://b"]


def test_default_path():
    assert str(kubeconfig.default_paths({"HOME": "/home/me"})[0]) == "/home/me/.kube/config"


def test_relative_files_start_at_the_files_folder(tmp_path):
    (tmp_path / "ca.pem").write_bytes(b"from file")
    config = kubeconfig.build("a", Access("https://a"))
    config["clusters"][0]["cluster"]["certificate-authority"] = "ca.pem"
    config["users"][0]["user"] = {"tokenFile": "token"}
    kubeconfig.write(tmp_path / "config", config)
    found = kubeconfig.access(kubeconfig.load([tmp_path / "config"]))
    assert (found.authority, found.token_file) == (b"from file", str(tmp_path / "token"))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"current-context": ""}, "current-context is not set"),
        ({"current-context": "other"}, 'context "other" does not exist'),
        ({"clusters": []}, 'cluster "a" does not exist'),
    ],
)
def test_what_is_missing_is_told(change, text):
    with pytest.raises(KubeconfigError, match=text):
        kubeconfig.access(kubeconfig.build("a", ACCESS) | change)


def test_missing_files_are_told():
    config = kubeconfig.build("a", Access("https://a"))
    config["users"][0]["user"] = {"client-certificate": "/does/not/exist"}
    with pytest.raises(KubeconfigError, match="unable to read client-certificate /does/not/exist"):
        kubeconfig.access(config)


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "text"])
def test_what_is_no_kubeconfig(text):
    with pytest.raises(KubeconfigError, match="error loading config file"):
        kubeconfig.parse(text, "file")


def test_an_empty_file_is_an_empty_configuration():
    assert kubeconfig.parse("")["contexts"] == []


def test_in_a_pod(tmp_path):
    (tmp_path / "ca.crt").write_bytes(b"CA")
    (tmp_path / "namespace").write_text("default")
    environment = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    found = kubeconfig.in_pod(environment, tmp_path)
    assert (found.server, found.authority, found.namespace) == ("https://10.96.0.1:443", b"CA", "default")
    assert found.token_file == str(tmp_path / "token")
    with pytest.raises(KubeconfigError, match="in-cluster"):
        kubeconfig.in_pod({}, tmp_path)
