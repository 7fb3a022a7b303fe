"""`kubectl config`: beside the real one, and what happens with several files."""

import pathlib

import pytest

from steersman.kubectl import config_paths, config_shape
from steersman.kubectl.config_paths import Property
from steersman.kubectl.problems import CommandError
from tests.kubectl.conftest import Kubectl

BASE = """
apiVersion: v1
kind: Config
clusters:
- name: b
  cluster: {server: "https://b:1", certificate-authority: ca.crt}
- name: a
  cluster: {server: "https://a:1", certificate-authority-data: YQ==, insecure-skip-tls-verify: false}
contexts:
- name: two
  context: {cluster: b, user: u2}
- name: one
  context: {cluster: a, user: u1, namespace: ns}
current-context: one
users:
- name: u1
  user: {token: tt, client-key-data: YQ==, client-certificate-data: YQ==}
- name: u2
  user: {username: x, password: pw, exec: {apiVersion: client.authentication.k8s.io/v1, command: foo, interactiveMode: Never}}
"""

LINES = """
view
view -o json
view --minify --flatten
view --minify --context two -o jsonpath={.contexts[*].name}
view --minify --context zz
view --merge=false
get-contexts
get-contexts two zz one --no-headers
get-contexts -o name
get-contexts -o zz
get-users x
current-context
use-context two
use-context zz
rename-context one zwei
rename-context one two
rename-context nn x
delete-context one
delete-cluster a
delete-user zz
delete-user
set-cluster new --server=https://x/
set-cluster a --embed-certs --certificate-authority=ca.crt
set-cluster a --insecure-skip-tls-verify
set-cluster a --embed-certs
set-cluster x --certificate-authority=nope --embed-certs
set-cluster x --certificate-authority=nope --proxy-url=http://p:1 --tls-server-name=foo
set-context new --cluster=a
set-context --current --namespace=yy
set-context --current x
set-credentials u1 --username=x
set-credentials n --username=a --token=b
set-credentials n --exec-command=foo --exec-api-version=client.authentication.k8s.io/v1beta1 --exec-arg=a --exec-env=A=b
set-credentials u2 --exec-interactive-mode=Always --exec-provide-cluster-info --exec-arg=a,b
set-credentials n --auth-provider=oidc --auth-provider-arg=client-id=foo
set-credentials n --client-certificate=ca.crt --embed-certs
set-credentials n --embed-certs
set clusters.x.y.server https://z
set clusters.a.certificate-authority-data zzz
set clusters.a.certificate-authority-data zzz --set-raw-bytes
set clusters.a.insecure-skip-tls-verify maybe
set current-context two
set users.new.act-as x
set users.u2.exec.command bar
set foo x
set preferences.colors true
unset clusters.a
unset clusters
unset current-context
unset users.zz.token
unset users.u1.token
unset preferences.colors
foo
"""


def files(kubectl: Kubectl) -> Kubectl:
    kubectl.file("config", BASE)
    kubectl.file("ca.crt", "hello\n")
    kubectl.environment["KUBECONFIG"] = str(kubectl.folder / "config")
    return kubectl


@pytest.mark.kubectl
@pytest.mark.slow
@pytest.mark.parametrize("line", LINES.strip().splitlines())
def test_both_say_and_write_the_same(alone: Kubectl, line: str) -> None:
    config = pathlib.Path(files(alone).folder / "config")
    theirs = alone.real(f"config {line}"), config.read_text()
    config.write_text(BASE)
    assert (alone.run(f"config {line}"), config.read_text()) == theirs


def test_changes_go_to_the_file_that_defines_a_thing_and_new_things_to_the_first_there_is(alone: Kubectl) -> None:
    files(alone)
    first = pathlib.Path(alone.file("first", "clusters: [{name: k, cluster: {server: 'https://k'}}]\n"))
    last = alone.folder / "config"
    alone.environment["KUBECONFIG"] = f"{alone.folder}/none:{first}:{last}"
    assert alone("config get-clusters").split() == ["NAME", "a", "b", "k"]
    alone("config set-context one --namespace=changed")
    assert "namespace: changed" in last.read_text()
    assert first.read_text().startswith("clusters: [")  # untouched
    alone("config set-cluster new --server=https://new")
    assert "name: new" in first.read_text()
    alone("config use-context two")
    assert "current-context: two" in first.read_text()
    assert "current-context: one" in last.read_text()
    assert alone("config current-context") == "two\n"
    alone("config unset current-context")
    assert alone("config current-context") == "one\n"
    alone("config delete-cluster b")
    assert alone("config get-clusters").split() == ["NAME", "a", "k", "new"]


def test_without_any_file_one_is_made_for_its_owner_only(alone: Kubectl) -> None:
    alone.environment["KUBECONFIG"] = str(alone.folder / "deep" / "config")
    assert "clusters: null" in alone("config view")
    alone("config set-cluster x --server=https://x")
    path = alone.folder / "deep" / "config"
    assert path.stat().st_mode & 0o777 == 0o600
    assert alone("config view -o jsonpath={.clusters[0].cluster.server}") == "https://x"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("current-context", Property("current-context")),
        ("clusters", Property("clusters")),
        ("clusters.a", Property("clusters", "a")),
        ("clusters.a.b.server", Property("clusters", "a.b", "server")),
        ("users.u.act-as", Property("users", "u", "as")),
        ("users.u.as", Property("users", "u.as")),
        ("preferences.colors", Property("preferences", field="colors")),
    ],
)
def test_names_of_properties(path: str, expected: Property) -> None:
    assert config_paths.parse(path) == expected


@pytest.mark.parametrize("path", ["foo", "preferences.x", "users.u.exec.command"])
def test_names_of_nothing(path: str) -> None:
    with pytest.raises(CommandError, match="unable to parse"):
        config_paths.parse(path)


def test_the_shape_is_the_same_the_second_time() -> None:
    config = {"users": [{"name": "b", "user": {"token": "t", "nonsense": 1}}, {"name": "a", "user": None}]}
    once = config_shape.normal(config)
    assert [entry["name"] for entry in once["users"]] == ["a", "b"]
    assert once["users"][1] == {"name": "b", "user": {"token": "t"}}
    assert config_shape.normal(once) == once


def test_secrets_are_left_out(alone: Kubectl) -> None:
    seen = files(alone)("config view")
    assert "tt" not in seen.split()
    assert "token: tt" in alone("config view --raw")
