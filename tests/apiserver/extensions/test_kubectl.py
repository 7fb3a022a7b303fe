"""Custom resources by the real kubectl, old and new."""

import json

import pytest

from tests.apiserver.extensions import definitions
from tests.apiserver.test_kubectl import Kubectl, kubectl

__all__ = ["kubectl"]  # the fixture, for every kubectl found

pytestmark = [pytest.mark.kubectl, pytest.mark.slow]

CRONTAB = """\
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: my-new-cron-object}
spec: {cronSpec: "* * * * */5", image: my-awesome-cron-image}
"""


async def test_a_session(kubectl: Kubectl):
    definition = json.dumps(definitions.full())
    made = "customresourcedefinition.apiextensions.k8s.io/crontabs.stable.example.com"
    assert await kubectl("apply", "-f", "-", stdin=definition) == f"{made} created\n"
    assert (
        await kubectl("wait", "--for", "condition=established", "--timeout=5s", f"crd/{definitions.NAME}")
        == f"{made} condition met\n"
    )
    assert await kubectl("apply", "-f", "-", stdin=definition) == f"{made} unchanged\n"
    assert await kubectl("apply", "-f", "-", stdin=CRONTAB) == "crontab.stable.example.com/my-new-cron-object created\n"
    assert (
        await kubectl("apply", "-f", "-", stdin=CRONTAB) == "crontab.stable.example.com/my-new-cron-object unchanged\n"
    )
    table = (await kubectl("get", "ct")).splitlines()
    assert table[0].split() == ["NAME", "SPEC", "REPLICAS", "AGE"]
    assert table[1].split()[:2] == ["my-new-cron-object", "*"]
    assert "my-new-cron-object" in await kubectl("get", "all")
    assert "cronSpec" in await kubectl("explain", "crontab.spec")
    assert "<string>" in await kubectl("explain", "crontabs.spec.cronSpec")
    assert "stable.example.com/v1" in await kubectl("api-resources", "--api-group=stable.example.com")
    assert await kubectl("scale", "--replicas=5", "crontabs/my-new-cron-object") == (
        "crontab.stable.example.com/my-new-cron-object scaled\n"
    )
    assert await kubectl("get", "ct", "my-new-cron-object", "-o", "jsonpath={.spec.replicas}") == "5"
    changed = CRONTAB.replace("awesome", "other")
    assert await kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=changed) == (
        "crontab.stable.example.com/my-new-cron-object serverside-applied\n"
    )
    wrong = await kubectl("apply", "-f", "-", stdin=CRONTAB.replace("image:", "imagee:"), fails=True)
    assert 'unknown field "spec.imagee"' in wrong
    assert "image: my-other" in (await kubectl("get", "ct", "-o", "yaml"))
    assert "Cron Spec:" in await kubectl("describe", "ct", "my-new-cron-object")
    await kubectl("label", "ct", "my-new-cron-object", "a=b")
    await kubectl("patch", "ct", "my-new-cron-object", "--type=merge", "-p", '{"spec":{"replicas":2}}')
    refused = await kubectl(
        "patch", "ct", "my-new-cron-object", "--type=merge", "-p", '{"spec":{"replicas":20}}', fails=True
    )
    assert "spec.replicas in body should be less than or equal to 10" in refused
    assert await kubectl("delete", "crd", definitions.NAME) == (
        'customresourcedefinition.apiextensions.k8s.io "crontabs.stable.example.com" deleted\n'
    )
    gone = await kubectl("get", "ct", fails=True)
    assert "doesn't have a resource type" in gone or "could not find the requested resource" in gone
