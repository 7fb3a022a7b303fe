"""Which server and whom, from files and flags: beside the real kubectl, and a credential plugin all the way."""

import pathlib

import pytest
import yaml

from steersman.testing import Cluster
from tests.kubectl.conftest import Kubectl

pytestmark = pytest.mark.slow

LINES = """
get ns default -o name --as-uid=x
get ns default -o name --as bob
get ns default -o name --as bob --as-group system:masters --as-uid=8
get ns default -o name --token=zz
get ns default -o name --client-certificate=/nope
get ns default -o name --client-certificate=/nope --client-key=/nope2
get ns default -o name --cluster=zz
get ns default -o name --user=zz
get ns default -o name --insecure-skip-tls-verify
get ns default -o name --tls-server-name=localhost
get ns default -o name --certificate-authority=/nope
get ns default -o name --username=a --password=b
get ns default -o name --username=a --token=b
get ns default -o name --context=zz
get ns default -o name --kubeconfig=/zz
get ns default -o name -s https://127.0.0.1:1
"""


@pytest.mark.kubectl
@pytest.mark.parametrize("line", LINES.strip().splitlines())
def test_both_say_the_same(kubectl: Kubectl, line: str) -> None:
    kubectl.check_same(line)


@pytest.mark.kubectl
@pytest.mark.parametrize("command", ["/no/such/plugin", "/bin/false"])
def test_a_plugin_that_fails(cluster: Cluster, kubectl: Kubectl, command: str) -> None:
    with_plugin(cluster, kubectl, command)
    kubectl.check_same("get ns default -o name")


def with_plugin(cluster: Cluster, kubectl: Kubectl, command: str) -> None:
    config = yaml.safe_load(pathlib.Path(cluster.kubeconfig).read_text())
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "interactiveMode": "Never"}
    config["users"][0]["user"] = {"exec": plugin}
    kubectl.environment["KUBECONFIG"] = kubectl.file("config", yaml.dump(config))


def test_a_token_of_a_plugin_is_taken(cluster: Cluster, kubectl: Kubectl) -> None:
    answer = '{"apiVersion": "client.authentication.k8s.io/v1", "status": {"token": "nonsense"}}'
    command = pathlib.Path(kubectl.file("plugin", f"#!/bin/sh\necho '{answer}'\n"))
    command.chmod(0o755)
    with_plugin(cluster, kubectl, str(command))
    assert kubectl.fails("get pods") == "error: You must be logged in to the server (Unauthorized)\n"
