"""Pod Security Admission: what namespaces' labels enforce, write down and warn of."""

import asyncio

import pytest
import yaml

from steersman.aio import clock as clocks
from steersman.api.pod_security import configuration, levels
from steersman.apiserver.admission import settings
from steersman.apiserver.audit import auditor, policy
from tests.apiserver import kit
from tests.apiserver.audit.test_auditor import Kept

NAMESPACES = "/api/v1/namespaces"


def labels(**modes):
    """`enforce="baseline", warn_version="v1.30"`."""
    return {f"{levels.PREFIX}{mode.replace('_', '-')}": value for mode, value in modes.items()}


def run(story, namespace_labels=None, **options):
    async def whole():
        async with kit.Api(**options) as api:
            await api.make(NAMESPACES, {"metadata": {"name": "n", "labels": namespace_labels or {}}})
            await kit.with_account(api, "n")
            return await story(api)

    return asyncio.run(whole())


def create(body, path="/api/v1/namespaces/n/pods"):
    return lambda api: api.ask("POST", path, body)


BAD = kit.pod("bad", hostNetwork=True)


def test_a_pod_that_violates_what_is_enforced_is_forbidden():
    answer = run(create(BAD), labels(enforce="baseline", enforce_version="v1.30"))
    assert answer.refusal == (
        403,
        "Forbidden",
        'pods "bad" is forbidden: violates PodSecurity "baseline:v1.30": host namespaces (hostNetwork=true)',
    )


def test_a_pod_that_violates_what_is_warned_of_is_made():
    answer = run(create(BAD), labels(warn="baseline"))
    assert answer.status == 201
    assert 'would violate PodSecurity \\"baseline:latest\\": host namespaces' in answer.headers["warning"]


def test_what_makes_pods_is_warned_of_only():
    body = kit.deployment("web")
    body["spec"]["template"]["spec"]["hostPID"] = True
    path = "/apis/apps/v1/namespaces/n/deployments"
    answer = run(create(body, path), labels(enforce="baseline", warn="baseline"))
    assert answer.status == 201
    assert "host namespaces (hostPID=true)" in answer.headers["warning"]


def test_violations_are_written_down():
    kept = Kept()
    rules = [
        {"level": "Metadata", "resources": [{"group": "", "resources": ["pods"]}], "omitStages": ["RequestReceived"]}
    ]
    found = policy.parse({"apiVersion": policy.API_VERSION, "kind": "Policy", "rules": rules})
    audit = auditor.Auditor(found, [kept], clocks.SystemClock())
    run(create(BAD), labels(audit="baseline"), audit=audit)
    [event] = kept.events
    written = {key: value for key, value in event["annotations"].items() if key.startswith(levels.PREFIX)}
    assert written == {
        "pod-security.kubernetes.io/audit-violations": 'would violate PodSecurity "baseline:latest": '
        "host namespaces (hostNetwork=true)",
        "pod-security.kubernetes.io/enforce-policy": "privileged:latest",
    }


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"metadata": {"labels": {"a": "b"}}}, 200, id="of no matter"),
        pytest.param({"spec": {"containers": [{"name": "main", "image": "other:1"}]}}, 403, id="another image"),
    ],
)
def test_a_pod_that_is_there_is_looked_at_when_it_changes_what_runs(change, code):
    async def story(api):
        await api.make("/api/v1/namespaces/n/pods", BAD)
        enforced = {"metadata": {"labels": labels(enforce="baseline")}}
        await api.ask("PATCH", f"{NAMESPACES}/n", enforced, headers=kit.MERGE)
        return await api.ask("PATCH", "/api/v1/namespaces/n/pods/bad", change, headers=kit.STRATEGIC)

    assert run(story).status == code


def test_a_stricter_namespace_tells_of_its_pods():
    async def story(api):
        for name in ("b", "a", "c"):
            await api.make("/api/v1/namespaces/n/pods", kit.pod(name, hostNetwork=name != "c", hostPID=name == "c"))
        change = {"metadata": {"labels": labels(enforce="baseline")}}
        answers = [await api.ask("PATCH", f"{NAMESPACES}/n", change, headers=kit.MERGE) for _ in range(2)]
        return [answer.headers.get("warning", "") for answer in answers]

    first, again = run(story)
    assert first == (
        '299 - "existing pods in namespace \\"n\\" violate the new PodSecurity enforce level \\"baseline:latest\\"", '
        '299 - "a (and 2 other pods): host namespaces"'
    )
    assert again == ""


def test_labels_that_say_nothing_are_refused():
    body = {"metadata": {"name": "x", "labels": labels(enforce="strict", warn_version="1.30")}}
    answer = run(create(body, NAMESPACES))
    assert answer.refusal == (
        422,
        "Invalid",
        'Namespace "x" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": '
        "must be one of privileged, baseline, restricted, metadata.labels[pod-security.kubernetes.io/warn-version]: "
        'Invalid value: "1.30": must be "latest" or "v1.x"]',
    )


CONFIGURED = {
    "apiVersion": configuration.API_VERSION,
    "kind": configuration.KIND,
    "defaults": {"enforce": "baseline"},
    "exemptions": {"usernames": ["bob"], "namespaces": ["n"], "runtimeClasses": []},
}


@pytest.mark.parametrize(("namespace", "code"), [("n", 201), ("default", 403)], ids=["exempt", "by default"])
def test_what_a_file_says(tmp_path, namespace, code):
    plugins = [{"name": "PodSecurity", "configuration": CONFIGURED}]
    whole = {"apiVersion": settings.API_VERSION, "kind": settings.KIND, "plugins": plugins}
    (tmp_path / "admission.yaml").write_text(yaml.safe_dump(whole))
    found = settings.read(tmp_path / "admission.yaml")

    async def story(api):
        await kit.with_account(api)
        return await api.ask("POST", f"/api/v1/namespaces/{namespace}/pods", BAD)

    assert run(story, admission_settings=found).status == code


def test_wrong_files(tmp_path):
    path = tmp_path / "admission.yaml"
    path.write_text("apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins: [{name: Other}]\n")
    with pytest.raises(ValueError, match=r"plugins\[0\].name: Other takes no configuration here"):
        settings.read(path)
    with pytest.raises(
        ValueError, match=r'^defaults\.warn: Invalid value: "x": must be one of privileged, baseline, rest'
    ):
        configuration.parse({**CONFIGURED, "defaults": {"warn": "x"}})
