"""The real kubectl, old and new, against the served API."""

import asyncio
import os
import pathlib
import re
import shutil
from collections.abc import AsyncIterator

import pytest

from tests.apiserver import served

pytestmark = [pytest.mark.kubectl, pytest.mark.slow]


def kubectls() -> list[pathlib.Path]:
    """The oldest and the newest kubectl next to the one on the PATH (`kubectl.1.27`, …), or that one alone."""
    listed = os.environ.get("STEERSMAN_KUBECTLS", "")
    if listed:
        return [pathlib.Path(one) for one in listed.split(os.pathsep)]
    found = shutil.which("kubectl")
    if found is None:
        return []
    real = pathlib.Path(found).resolve()
    versions = {}
    for path in real.parent.glob("kubectl.1.*"):
        match = re.fullmatch(r"kubectl\.1\.(\d+)", path.name)
        if match:
            versions[int(match[1])] = path
    return [versions[min(versions)], versions[max(versions)]] if versions else [real]


if not kubectls():
    pytest.skip("there is no kubectl on the PATH", allow_module_level=True)

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "localhost/hello:1"}]}
"""


class Kubectl:
    def __init__(self, path: pathlib.Path, config: pathlib.Path, home: pathlib.Path) -> None:
        self._path = path
        self._environment = {"KUBECONFIG": str(config), "HOME": str(home), "PATH": os.environ["PATH"]}

    async def __call__(self, *arguments: str, stdin: str = "", fails: bool = False) -> str:
        process = await asyncio.create_subprocess_exec(
            self._path,
            *arguments,
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin.encode())
        assert (process.returncode != 0) == fails, f"{arguments}: {out.decode()}{err.decode()}"
        return err.decode() if fails else out.decode()


@pytest.fixture(params=kubectls(), ids=lambda path: path.name)
async def kubectl(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> AsyncIterator[Kubectl]:
    async with served.api(tmp_path) as (_, config, _):
        yield Kubectl(request.param, config, tmp_path)


async def test_config_maps(kubectl: Kubectl):
    assert await kubectl("create", "configmap", "a", "--from-literal=x=1") == "configmap/a created\n"
    table = (await kubectl("get", "configmaps", "a")).splitlines()
    assert table[0].split() == ["NAME", "DATA", "AGE"]
    assert table[1].split()[:2] == ["a", "1"]
    assert await kubectl("get", "cm", "a", "-o", "jsonpath={.data.x}") == "1"
    assert await kubectl("patch", "cm", "a", "-p", '{"data":{"y":"2"}}') == "configmap/a patched\n"
    assert "y:\n----\n2" in await kubectl("describe", "cm", "a")
    assert await kubectl("delete", "cm", "a") == 'configmap "a" deleted\n'
    assert 'configmaps "a" not found' in await kubectl("get", "cm", "a", fails=True)


async def test_deployments(kubectl: Kubectl):
    assert await kubectl("apply", "-f", "-", stdin=DEPLOYMENT) == "deployment.apps/web created\n"
    assert await kubectl("apply", "-f", "-", stdin=DEPLOYMENT) == "deployment.apps/web unchanged\n"
    changed = DEPLOYMENT.replace("hello:1", "hello:2")
    assert await kubectl("apply", "-f", "-", stdin=changed) == "deployment.apps/web configured\n"
    assert await kubectl("get", "deploy", "web", "-o", "jsonpath={.metadata.generation}") == "2"
    assert await kubectl("scale", "deploy", "web", "--replicas=5") == "deployment.apps/web scaled\n"
    table = (await kubectl("get", "deploy", "-o", "wide")).splitlines()
    assert table[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
    assert table[1].split()[:2] == ["web", "0/5"]
    assert "No rollout history found" in await kubectl("rollout", "history", "deploy", "web")
    wrong = await kubectl("apply", "-f", "-", stdin=DEPLOYMENT.replace("replicas", "replicaz"), fails=True)
    assert 'unknown field "spec.replicaz"' in wrong
    invalid = await kubectl("apply", "-f", "-", stdin=DEPLOYMENT.replace("replicas: 3", "replicas: -3"), fails=True)
    assert "spec.replicas: Invalid value: -3: must be greater than or equal to 0" in invalid
    assert await kubectl("delete", "deploy", "web") == 'deployment.apps "web" deleted\n'


async def test_what_there_is(kubectl: Kubectl):
    resources = await kubectl("api-resources", "--no-headers")
    assert re.search(r"^deployments +deploy +apps/v1 +true +Deployment$", resources, re.MULTILINE)
    explained = await kubectl("explain", "deployment.spec.template.spec.containers.image")
    assert "image <string>" in explained
    assert "apps/v1" in await kubectl("api-versions")
    assert "v1.37.0+steersman" in await kubectl("version", "-o", "yaml")


async def test_rights_and_tokens(kubectl: Kubectl):
    await kubectl("create", "serviceaccount", "robot")
    await kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods,configmaps")
    await kubectl("create", "rolebinding", "reader", "--role=reader", "--serviceaccount=default:robot")
    me = "--as=system:serviceaccount:default:robot"
    assert await kubectl("auth", "can-i", "list", "pods", me) == "yes\n"
    token = (await kubectl("create", "token", "robot")).strip()
    assert token.count(".") == 2
    refused = await kubectl("get", "secrets", me, fails=True)
    assert 'User "system:serviceaccount:default:robot" cannot list resource "secrets"' in refused
